"""Limits a split to a number of videos per class, to train on less data."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from vidjax.data.prepared import VideoSource, names_of
from vidjax.data.record import Record


class FewerVideos:
    """A split with at most `per_class` videos of each class.

    A class keeps the first videos in the order of a digest of their names. The choice depends on
    nothing else, and a smaller one is part of each larger one. Videos without a known class
    (damaged ones of old data sets) are left out.

    Args:
      source: the split; its videos have one label each.
      per_class: the largest number of videos of a class.
    """

    multi_label = False

    def __init__(self, source: VideoSource, per_class: int) -> None:
        names, labels = names_of(source), source.labels()
        self._source, self._per_class = source, per_class
        self._videos = chosen(names, labels, per_class)
        self._names = [names[video] for video in self._videos]
        self.classes, self.broken = source.classes, source.broken
        self.manifest_digest = f"{source.manifest_digest}-{per_class}"

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, index: int) -> Record:
        return self._source[int(self._videos[index])]

    def __getattr__(self, name: str) -> Any:
        """Forwards the optional attributes of a split that hold for a part of it."""
        if name in ("channels", "fits"):
            return getattr(self._source, name)
        raise AttributeError(name)

    def names(self) -> list[str]:
        """Returns the name of each video."""
        return list(self._names)

    def labels(self) -> np.ndarray:
        """Returns the class index of each video, int `[N]`."""
        return self._source.labels()[self._videos]

    def __repr__(self) -> str:
        """Describes the content, not the object: grain compares it when a run resumes."""
        return f"FewerVideos({self._source!r}, {self._per_class})"


def chosen(names: Sequence[str], labels: np.ndarray, per_class: int) -> np.ndarray:
    """Chooses at most `per_class` videos of each class; returns their indices, ascending.

    >>> chosen(["a", "b", "c"], np.array([0, 0, 1]), 1).tolist()
    [1, 2]
    """
    order = sorted(range(len(names)), key=lambda index: sha256(names[index].encode()).digest())
    taken, counts = [], collections.Counter[int]()
    for index in order:
        label = int(labels[index])
        if label >= 0 and counts[label] < per_class:
            counts[label] += 1
            taken.append(index)
    return np.sort(np.array(taken, np.int64))
