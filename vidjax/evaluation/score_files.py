"""Files with all scores of a network on some videos, which NumPy reads without pickles.

stored = numpy.load("scores.npz")
stored["scores"]  # float32 [N, C], probabilities
stored["names"], stored["classes"], stored["labels"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidjax import records, zipped_arrays
from vidjax.untrusted_names import printable

SUFFIX = ".npz"
_ARRAYS = ("names", "scores", "classes", "labels", "split", "about")
# Tolerance for probabilities that were rounded, averaged and rounded again.
_ROUNDING = 1e-3


class ScoresError(ValueError):
    """A file is damaged or does not contain scores."""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of N videos, or segments of videos, for C classes.

    Attributes:
      names: `[N]`, unique. The name of a segment ends in its times, such as `a.mp4@1.5-4`.
      scores: probabilities float32 `[N, C]`: of a softmax, or of one sigmoid per class if
        `about["multi_label"]` is true.
      classes: names `[C]`, unique.
      labels: names of the true classes `[N]`; empty if they are not known.
      split: name of the split, such as `test`; may be empty.
      about: further facts as JSON values: `views` (clips, crops, size, frames, stride, sampling),
        `network` and `weights`.
    """

    names: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    split: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        scores: np.ndarray,
        classes: Sequence[str],
        labels: Sequence[str],
        split: str = "",
        about: Mapping[str, Any] | None = None,
    ) -> ScoreTable:
        """Makes a table from plain lists. Unprintable characters in names are escaped.

        Args:
          names: N names.
          scores: `[N, C]` probabilities.
          classes: C names.
          labels: N names of classes, or empty strings.
          split: name of the split.
          about: further facts.
        """
        values = np.asarray(scores, np.float32)
        return cls(_texts(names), values, _texts(classes), _texts(labels), split, about or {})

    @property
    def multi_label(self) -> bool:
        """Whether a video may have several classes."""
        return self.about.get("multi_label") is True


def write_scores(file: Path, table: ScoreTable) -> None:
    """Writes a table, replacing an existing file.

    Raises:
      OSError: it cannot be written.
    """
    texts = {"split": np.array(table.split), "about": np.array(json.dumps(dict(table.about)))}
    zipped_arrays.write(file, {**vars(table), **texts})


def read_score_table(file: Path) -> ScoreTable:
    """Reads a table from `write_scores`.

    It uses no more memory than the size of the file allows, and unpickles nothing.

    Raises:
      ScoresError: the file is damaged or has no scores; names the file.
      OSError: it cannot be read.
    """
    name = printable(str(file))
    if not file.is_file():
        raise ScoresError(f"{name}: the file of scores does not exist")
    try:
        arrays = zipped_arrays.read(file, _ARRAYS, ScoresError)
        texts = {key: _text(key, arrays.pop(key, None)) for key in ("split", "about")}
        _check(arrays)
        about = records.parsed(texts["about"], dict[str, Any])
    except (ScoresError, records.RecordError) as error:
        raise ScoresError(
            f"{name}: {error}. Write it again with --scores of vidjax predict or vidjax evaluate"
        ) from None
    return ScoreTable(**arrays, split=texts["split"], about=about)


def _texts(values: Sequence[str]) -> np.ndarray:
    # NumPy would make an empty list an array of numbers.
    return np.array([printable(str(value)) for value in values] or np.empty(0, "U1"))


def _text(name: str, array: np.ndarray | None) -> str:
    if array is None or array.dtype.kind != "U" or array.ndim:
        raise ScoresError(f"it has no text {name!r}")
    return str(array)


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    kinds = {"names": "U", "classes": "U", "labels": "U", "scores": "f"}
    for name, kind in kinds.items():
        if name not in arrays:
            raise ScoresError(f"it has no array {name!r}")
        if arrays[name].dtype.kind != kind or arrays[name].ndim != 1 + (name == "scores"):
            found = f"{arrays[name].dtype} {list(arrays[name].shape)[:9]}"
            raise ScoresError(f"its array {name!r} is {found}")
    shape = (len(arrays["names"]), len(arrays["classes"]))
    if arrays["scores"].dtype != np.float32 or arrays["scores"].shape != shape or not all(shape):
        raise ScoresError(
            f"its scores are {arrays['scores'].dtype} {list(arrays['scores'].shape)} for "
            f"{shape[0]} names and {shape[1]} classes; they must be float32, one for each name and "
            "class"
        )
    if len(arrays["labels"]) != shape[0]:
        raise ScoresError(f"it has {len(arrays['labels'])} labels for {shape[0]} names")
    for name in ("names", "classes"):
        if len(np.unique(arrays[name])) != len(arrays[name]):
            raise ScoresError(f"its {name} are not unique")
    # NaN fails both comparisons.
    if not ((arrays["scores"] >= 0) & (arrays["scores"] <= 1 + _ROUNDING)).all():
        raise ScoresError("its scores are not all probabilities, numbers in [0, 1]")
