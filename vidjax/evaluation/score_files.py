"""All scores of a network on some videos, as a file that NumPy reads without pickles.

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
from vidjax.untrusted_names import told

SUFFIX = ".npz"
_ARRAYS = ("names", "scores", "classes", "labels", "split", "about")
# Probabilities are rounded, and averages of them are rounded again.
_ROUNDING = 1e-3


class ScoresError(ValueError):
    """A file holds no scores, or damaged ones."""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of N videos or pieces of videos in C classes.

    Attributes:
      names: `[N]`, unique; the name of a piece ends in its times, such as `a.mp4@1.5-4`.
      scores: float32 `[N, C]`, probabilities: of a softmax, or each of a sigmoid where
        `about["multi_label"]` is true.
      classes: names `[C]`, unique.
      labels: names `[N]` of the true classes; empty where they are not known.
      split: such as `test`; empty where there is none.
      about: what else is known, as JSON holds it: `views` (clips, crops, size, frames, stride,
        sampling), and the `network` and its `weights`.
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
        """A table of plain lists; unprintable characters of names are written out.

        Args:
          names: N names.
          scores: `[N, C]` probabilities.
          classes: C names.
          labels: N names of classes, or empty texts.
          split: of the videos.
          about: what else is known.
        """
        values = np.asarray(scores, np.float32)
        return cls(_texts(names), values, _texts(classes), _texts(labels), split, about or {})

    @property
    def multi_label(self) -> bool:
        """Whether a video may have several classes at once."""
        return self.about.get("multi_label") is True


def write_scores(file: Path, table: ScoreTable) -> None:
    """Writes a table whole, replacing one that is there.

    Raises:
      OSError: it cannot be written.
    """
    texts = {"split": np.array(table.split), "about": np.array(json.dumps(dict(table.about)))}
    zipped_arrays.write(file, {**vars(table), **texts})


def read_score_table(file: Path) -> ScoreTable:
    """Reads what `write_scores` wrote.

    No more memory is taken than the file's size allows, and nothing is unpickled.

    Raises:
      ScoresError: it holds no scores, or is damaged; names the file.
      OSError: it cannot be read.
    """
    name = told(str(file))
    if not file.is_file():
        raise ScoresError(f"{name}: there is no such file of scores")
    try:
        arrays = zipped_arrays.read(file, _ARRAYS, ScoresError)
        texts = {key: _text(key, arrays.pop(key, None)) for key in ("split", "about")}
        _check(arrays)
        about = records.parsed(texts["about"], dict[str, Any])
    except (ScoresError, records.RecordError) as error:
        raise ScoresError(
            f"{name}: {error}. Make it anew with --scores of vidjax predict or evaluate"
        ) from None
    return ScoreTable(**arrays, split=texts["split"], about=about)


def _texts(values: Sequence[str]) -> np.ndarray:
    # An array of no texts would be one of numbers.
    return np.array([told(str(value)) for value in values] or np.empty(0, "U1"))


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
            f"{shape[0]} names and {shape[1]} classes; they must be float32, one a name and class"
        )
    if len(arrays["labels"]) != shape[0]:
        raise ScoresError(f"it has {len(arrays['labels'])} labels for {shape[0]} names")
    for name in ("names", "classes"):
        if len(np.unique(arrays[name])) != len(arrays[name]):
            raise ScoresError(f"its {name} are not unique")
    # NaN is in no range.
    if not ((arrays["scores"] >= 0) & (arrays["scores"] <= 1 + _ROUNDING)).all():
        raise ScoresError("its scores are not all probabilities, numbers in [0, 1]")
