"""The classes of a video as arrays: one index, or a yes or no for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.data.multi_label_text import joined

if TYPE_CHECKING:
    from vidjax.data.prepared import VideoSource

# A class index, or those of a video with several labels, sorted.
Label = int | tuple[int, ...]


@dataclass(frozen=True)
class Targets:
    """What a batch holds as `label`.

    Attributes:
      classes: number C of classes where a video may have several; None where it has one.
    """

    classes: int | None = None

    @classmethod
    def of(cls, source: VideoSource) -> Targets:
        """Those of the videos of a split."""
        return cls(len(source.classes) if is_multi_label(source) else None)

    def array(self, label: Label) -> Any:
        """A video's label: int32, or float32 `[C]`, 1 for its classes and 0 for the others."""
        if self.classes is None:
            assert not isinstance(label, tuple)
            return np.int32(label)
        assert isinstance(label, tuple)
        answers = np.zeros(self.classes, np.float32)
        answers[list(label)] = 1
        return answers

    def nothing(self) -> Any:
        """What stands for the label where there is no video."""
        return self.array(0 if self.classes is None else ())

    def zeros(self, videos: int) -> np.ndarray:
        """Room for the labels of N videos: int64 `[N]`, or bool `[N, C]`."""
        if self.classes is None:
            return np.zeros(videos, np.int64)
        return np.zeros((videos, self.classes), bool)


def label_text(label: Label, classes: Sequence[str]) -> str:
    """The name of a class, or those of several as one text."""
    if isinstance(label, tuple):
        return joined(classes[place] for place in label)
    return classes[label]


def is_multi_label(source: VideoSource) -> bool:
    """Whether a video of a split may have several labels."""
    # Whoever wrote a source before there were such data sets has one label a video.
    return getattr(source, "multi_label", False)
