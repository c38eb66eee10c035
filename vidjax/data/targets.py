"""Converts the labels of a video to arrays: a class index, or a multi-hot vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.data.multi_label_text import join_labels

if TYPE_CHECKING:
    from vidjax.data.prepared import VideoSource

# A class index, or in a multi-label data set the sorted class indices.
Label = int | tuple[int, ...]


@dataclass(frozen=True)
class Targets:
    """The format of `label` in a batch.

    >>> Targets(classes=3).array((0, 2)).tolist()
    [1.0, 0.0, 1.0]

    Attributes:
      classes: number C of classes of a multi-label data set; None if a video has one label.
    """

    classes: int | None = None

    @classmethod
    def of(cls, source: VideoSource) -> Targets:
        """Returns the format for a split."""
        return cls(len(source.classes) if is_multi_label(source) else None)

    def array(self, label: Label) -> Any:
        """Converts a label to int32, or to float32 `[C]`, 1 for its classes and 0 for others."""
        if self.classes is None:
            assert not isinstance(label, tuple)
            return np.int32(label)
        assert isinstance(label, tuple)
        answers = np.zeros(self.classes, np.float32)
        answers[list(label)] = 1
        return answers

    def nothing(self) -> Any:
        """Returns the placeholder label for padding."""
        return self.array(0 if self.classes is None else ())

    def zeros(self, videos: int) -> np.ndarray:
        """Allocates labels of N videos: zeros int64 `[N]`, or bool `[N, C]`."""
        if self.classes is None:
            return np.zeros(videos, np.int64)
        return np.zeros((videos, self.classes), bool)


def label_text(label: Label, classes: Sequence[str]) -> str:
    """Returns the class name of a label, or several class names joined into one text."""
    if isinstance(label, tuple):
        return join_labels(classes[place] for place in label)
    return classes[label]


def is_multi_label(source: VideoSource) -> bool:
    """Returns whether a video of a split may have several labels."""
    # A source without the attribute has one label per video.
    return getattr(source, "multi_label", False)
