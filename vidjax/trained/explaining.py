"""What a trained network sees in a video file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vidjax.explain.class_feature_pyramids import Pyramid, class_feature_pyramid
from vidjax.explain.regularized_tubes import name_of, stage_tubes
from vidjax.explain.report_page import Panel
from vidjax.explain.saliency_tubes import SaliencyTube, check_mode, saliency_tube
from vidjax.models.listing import model_card
from vidjax.names import nearest
from vidjax.trained.as_stored import as_record
from vidjax.trained.trained import Trained


@dataclass(frozen=True)
class OpenClip:
    """A network and the middle clip of a video, its centre.

    Attributes:
      trained: the network.
      frames: uint8 `[T, S, S, 3]`, as the network's evaluation crops them.
      fps: frames a second of the clip, its stride counted.
    """

    trained: Trained
    frames: np.ndarray
    fps: float

    @property
    def clip(self) -> jax.Array:
        """What the network gets, `[1, T, S, S, 3]`."""
        return jax.numpy.asarray(self.trained.preprocessing.normalized(self.frames[None]))


@dataclass(frozen=True)
class Seen:
    """An explanation of a clip.

    Attributes:
      label: name of the class.
      probability: that the network gives it.
      frames: of the clip, uint8 `[T, S, S, 3]`.
      tube: of the class.
      stages: tubes by stage, where the network has Class Regularization.
      pyramid: of the class, where it was asked for.
    """

    label: str
    probability: float
    frames: np.ndarray
    tube: SaliencyTube
    stages: dict[str, SaliencyTube]
    pyramid: Pyramid | None = None

    @property
    def title(self) -> str:
        """Class and probability."""
        return f"{self.label} ({self.probability:.1%})"

    @property
    def note(self) -> str:
        """What to know of a tube that shows no place; empty where it shows some."""
        if self.tube.volume.any():
            return ""
        sizes = ", ".join("x".join(map(str, low.shape)) for low in self.tube.low)
        return (
            f"the tube is empty: features of {sizes} before pooling show no place; larger clips "
            "have larger ones"
        )

    @property
    def stage_volumes(self) -> dict[str, np.ndarray]:
        """The stages' tubes `[T, H, W]` in [0, 1], by short names."""
        return {name_of(place): tube.volume for place, tube in self.stages.items()}

    def panel(self, title: str = "", *, kernels: bool = True) -> Panel:
        """For a page, with the pyramid's kernels or with tubes alone."""
        pyramid = self.pyramid if kernels else None
        return Panel(
            title or self.title, self.frames, self.tube.volume, pyramid, self.stage_volumes
        )


def open_clip(trained: Trained, video: Path) -> OpenClip:
    """The middle clip of a video for a network.

    Args:
      trained: the network.
      video: a file.

    Raises:
      ValueError: the video cannot be read.
    """
    views = trained.preprocessing.views()
    record = as_record(video, trained.preprocessing, views)
    (frames,) = views.cut(record, 0)
    return OpenClip(trained, frames, record.fps / trained.preprocessing.stride)


def see(
    opened: OpenClip,
    label: str | None = None,
    *,
    tube: dict[str, Any] | None = None,
    pyramid: dict[str, Any] | None = None,
) -> Seen:
    """Explains a clip.

    Args:
      opened: a network and a clip.
      label: name of the class; None is the predicted one.
      tube: settings of `saliency_tube`.
      pyramid: settings of `class_feature_pyramid`; None does without one. Without a threshold it is
        that of the network's card.

    Raises:
      ValueError: there is no such class, or the network cannot be explained so.
    """
    trained = opened.trained
    classes = trained.labels
    if label is not None and label not in classes:
        raise ValueError(f"class {label!r} is unknown: {nearest(label, classes)}")
    index = None if label is None else classes.index(label)
    given, settings = (trained.model, trained.variables, opened.clip), tube or {}
    check_mode(**{"mode": "thesis", "tau": None, **settings})
    grown = None
    if pyramid is not None:
        grown = class_feature_pyramid(*given, index, **_with_theta(pyramid, trained.name))
    found = saliency_tube(*given, index, **settings)
    assert found.logits is not None
    chances = np.asarray(trained.chances(jax.numpy.asarray(found.logits)))
    index = found.class_index
    return Seen(
        classes[index],
        float(chances[index]),
        opened.frames,
        found,
        stage_tubes(*given, index, **settings),
        grown,
    )


def _with_theta(settings: dict[str, Any], network: str) -> dict[str, Any]:
    if settings.get("threshold") is not None:
        return settings
    return settings | {"threshold": model_card(network).theta}
