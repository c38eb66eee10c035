"""What is known about a published checkpoint: a row of the registry."""

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
    """The accuracy that the publisher states; none of it was measured here.

    Attributes:
      top1: percent; None if not stated.
      top5: percent; None if not stated.
      protocol: how it was measured.
    """

    top1: Percent | None
    top5: Percent | None
    protocol: str


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the registry. The rows of a network are in order of preference.

    Attributes:
      network: as in `list_models()`.
      tag: data set, pretraining and project, joined by dashes.
      options: arguments of `create_model` that build the file's variant of the network.
      url: URL of the file, URL of a page that the user must visit, or `pypi:PACKAGE==VERSION`.
      direct: whether `url` is the file itself.
      file: name in the cache.
      there: name on the page, or path in the package; None if not stated, or part of `url`.
      sha256: SHA-256 of the file; None if not published.
      sha256_prefix: first hexadecimal digits of the SHA-256; None if not published.
      bytes: size of the file; None if not published.
      project: repository of the project.
      licence: as stated by the project.
      dataset: data set that it was trained on.
      pretrained: data set that it was pretrained on; None if there is none, or it is not stated.
      num_classes: number of logits.
      classes: name of the list of class names in `classes/`; None if no list is published.
      class_order: the order of the classes, and who states it.
      frames: frames per clip, T; None means any, and the card's number is used.
      stride: distance between neighbouring frames; None if not stated, and 1 is used.
      fps: frame rate to which videos are resampled; None keeps each video's own.
      sampling: how frames are sampled, in the project's words.
      size: side of the square crop, in pixels.
      short_side: short side of frames before the crop. Two numbers are height and width without
        keeping the aspect ratio. None if not stated, and `size` is used.
      mean: mean of the colours in [0, 1], in the order of `channels`.
      std: standard deviation of the colours in [0, 1], in the order of `channels`.
      channels: channel order that the file's kernels expect.
      published: published scores; None if not stated.
      layout: layout of the file, as in `vidjax.convert`.
      usable: False is refused; None is doubtful, and a warning says why.
      caution: a warning about the weights.
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
