"""What is known of a published checkpoint: a row of the registry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from vidjax.records import Name

Count = Annotated[int, msgspec.Meta(ge=1, le=2**24)]
Side = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Sides = Annotated[tuple[Side, ...], msgspec.Meta(min_length=2, max_length=2)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Colour = Annotated[float, msgspec.Meta(ge=0, le=1)]
Spread = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Scores(msgspec.Struct, frozen=True):
    """What the publisher says of the accuracy; none of it was measured here.

    Attributes:
      top1: percent; None is not said.
      top5: percent; None is not said.
      protocol: how it was measured.
    """

    top1: Percent | None
    top5: Percent | None
    protocol: str


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the registry. The rows of a network stand in order of preference.

    Attributes:
      network: as in `list_models()`.
      tag: data set, start and project, joined by dashes.
      options: that make the file's form of the network, as in `create_model`.
      url: of the file, of a page that people must visit, or `pypi:PACKAGE==VERSION`.
      direct: whether `url` is the file itself.
      file: its name in the cache.
      there: its name on the page, or its path in the package; None is not said, or in `url`.
      sha256: of the file; None is not published.
      sha256_prefix: how it begins, in hexadecimal digits; None is not published.
      bytes: of the file; None is not published.
      project: its repository.
      licence: as the project states it.
      dataset: that it was trained on.
      pretrained: data set that it was trained on before; None is none, or not said.
      num_classes: logits.
      classes: list of their names in `classes/`; None where no list is published.
      class_order: which order that is, and who says so.
      frames: T of a clip; None is any, and the card's number is taken.
      stride: distance of neighbouring frames; None is not said, and 1 is taken.
      fps: rate that videos are brought to; None keeps each video's own.
      sampling: of frames, in the project's words.
      size: of the square crop, in pixels.
      short_side: of frames before the crop; two numbers are height and width, the aspect not kept;
        None is not said, and `size` is taken.
      mean: of the colours in [0, 1], in the order of `channels`.
      std: of the colours in [0, 1], in the order of `channels`.
      channels: order of colours that the file's kernels take.
      published: scores; None is not said.
      layout: of the file, as in `vidjax.convert`.
      usable: False is refused; None is doubtful, and a warning says why.
      caution: what to know of it.
    """

    network: Name
    tag: Name
    options: dict[str, Any]
    url: Name
    direct: bool
    file: Name
    there: str | None
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None
    sha256_prefix: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8,64}$")] | None
    bytes: Annotated[int, msgspec.Meta(ge=1)] | None
    project: Name
    licence: Name
    dataset: Name
    pretrained: str | None
    num_classes: Count
    classes: str | None
    class_order: str | None
    frames: Count | None
    stride: Count | None
    fps: Count | None
    sampling: Name
    size: Side
    short_side: Side | Sides | None
    mean: tuple[Colour, Colour, Colour]
    std: tuple[Spread, Spread, Spread]
    channels: Literal["RGB", "BGR"]
    published: Scores | None
    layout: Name
    usable: bool | None
    caution: str | None

    @property
    def name(self) -> str:
        """`NETWORK:TAG`."""
        return f"{self.network}:{self.tag}"

    @property
    def multi_label(self) -> bool:
        """Whether a clip may have several classes."""
        return self.dataset == "charades"
