"""Features of many clips, with what is known about each clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TEXTS, SECONDS, COUNTS = ("video", "label", "split", "group"), ("start", "end"), ("clip",)
COLUMNS = (*TEXTS, *SECONDS, *COUNTS)
DTYPES = ("float16", "float32")


class FeaturesError(ValueError):
    """A file holds no features, or is damaged."""


@dataclass(frozen=True)
class Features:
    """A table of N clips.

    Attributes:
      features: float16 or float32 `[N, C]`.
      video: video names `[N]`.
      label: class names `[N]`; empty if unknown.
      split: splits `[N]`, such as `train`; empty if unknown.
      group: persons or sources `[N]`; empty if unknown.
      start: float64 `[N]`, in seconds from the video's first frame.
      end: float64 `[N]`, in seconds, exclusive.
      clip: int64 `[N]`, index of the clip within its video; 0 if clips are averaged.
      about: how the features were made, of JSON types.
    """

    features: np.ndarray
    video: np.ndarray
    label: np.ndarray
    split: np.ndarray
    group: np.ndarray
    start: np.ndarray
    end: np.ndarray
    clip: np.ndarray
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.features)

    def of_split(self, name: str) -> Features:
        """Returns the rows of a split.

        Raises:
          FeaturesError: the split has no rows; lists the splits.
        """
        found = self.where(self.split == name)
        if not len(found):
            there = ", ".join(sorted(set(self.split.tolist()) - {""}))
            raise FeaturesError(
                f"split {name!r} has no features; the splits are: {there}"
                if there
                else f"split {name!r} has no features, because no row has a split; extract "
                "features of a data set, or of a CSV with the columns path, label and split"
            )
        return found

    def where(self, chosen: np.ndarray) -> Features:
        """Returns the rows chosen by booleans or indices `[N]`."""
        rows = {name: getattr(self, name)[chosen] for name in ("features", *COLUMNS)}
        return dataclasses.replace(self, **rows)


def joined(tables: Sequence[Features]) -> Features:
    """Concatenates tables; `about` is taken from the last one."""
    rows = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("features", *COLUMNS)
    }
    return Features(**rows, about=tables[-1].about)


def checked(columns: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> Features:
    """Makes a table from the content of a file.

    Raises:
      FeaturesError: a column is missing or of the wrong kind; the message continues the file's
        name.
    """
    for name in ("features", *COLUMNS):
        if name not in columns:
            raise FeaturesError(f"it has no {name}")
    features = columns["features"]
    if features.ndim != 2 or features.dtype.name not in DTYPES:
        raise FeaturesError(
            f"its features are {features.dtype} {list(features.shape)}, not float16 or float32 "
            "[N, C]"
        )
    for name in COLUMNS:
        kind = "U" if name in TEXTS else "f" if name in SECONDS else "iu"
        if columns[name].dtype.kind not in kind or columns[name].shape != features.shape[:1]:
            raise FeaturesError(
                f"its {name} is {columns[name].dtype} {list(columns[name].shape)} beside "
                f"{len(features)} features"
            )
        if name in SECONDS and not np.isfinite(columns[name]).all():
            raise FeaturesError(f"its {name} holds numbers that are not finite")
    return Features(features=features, **{name: columns[name] for name in COLUMNS}, about=about)
