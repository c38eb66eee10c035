"""Class weights of a run's loss, and the number of training videos per class.

The weights are stored in the run's work directory. A run refuses to resume if its weights have
changed since it began, for example because its table was edited.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data import tables
from vidjax.data.class_weight_table import read_class_weights
from vidjax.data.prepared import VideoSource
from vidjax.run.config import Config, ConfigError
from vidjax.storage.paths import as_path
from vidjax.storage.writing import writing
from vidjax.untrusted_names import printable

FILE = "class_weights.csv"
_COUNTED = ("balanced", "inverse_sqrt")
_SETTING = "train.class_weights"


@dataclass(frozen=True)
class ClassWeights:
    """The classes of a run with their weights.

    Attributes:
      classes: names of the classes.
      counts: number of training videos per class, int `[K]`; None if no option needs them.
      weights: weight of each class in the loss; empty if all are equal.
    """

    classes: tuple[str, ...]
    counts: np.ndarray | None = None
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, config: Config, source: VideoSource) -> ClassWeights:
        """Computes the weights from a configuration and its training split.

        Raises:
          ConfigError: a table of weights does not fit the classes.
        """
        train = config.train
        if train.class_weights == "none" and train.sampling == "uniform":
            return cls(source.classes)
        labels = source.labels()
        counts = np.bincount(labels[labels >= 0], minlength=len(source.classes))
        return cls(source.classes, counts, weigh(train.class_weights, counts, source.classes))

    def keep(self, workdir: Path) -> None:
        """Writes the weights to the work directory, or compares them with the weights there.

        Raises:
          ConfigError: the run began with other weights.
        """
        file = workdir / FILE
        if not self.weights:
            return
        if file.is_file():
            self._require_same(file)
            return
        with writing(file) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("class", "weight"))
            rows = zip(self.classes, self.weights, strict=True)
            writer.writerows(map(tables.cells, rows))

    def _require_same(self, file: Path) -> None:
        before = read_class_weights(file, self.classes, ours=True)
        for name, old, new in zip(self.classes, before, self.weights, strict=True):
            if old != new:
                raise ConfigError(
                    f"{_SETTING}: class {printable(name)!r} now has weight {new:g}, but it had "
                    f"{old:g} when the run began. Use another --workdir, or the weights in {file}"
                )


def require_table(choice: str) -> None:
    """Checks that a table of weights exists, before hours of data preparation.

    Raises:
      ConfigError: the file does not exist.
    """
    if choice not in ("none", *_COUNTED) and not as_path(choice).is_file():
        raise ConfigError(f"{_SETTING} = {choice!r}: the file does not exist")


def weigh(choice: str, counts: np.ndarray, classes: Sequence[str]) -> tuple[float, ...]:
    """Returns the weights of the classes; empty if all are equal.

    Weights made from counts have a mean of 1 over the videos. A class without videos has weight 0.

    Args:
      choice: `none`; `balanced`, n / (K count) for n videos of K classes with videos;
        `inverse_sqrt`, proportional to 1 / sqrt(count); or the path of a CSV.
      counts: number of videos per class, int `[K]`.
      classes: names of the classes.

    Raises:
      ConfigError: the table does not fit the classes.
    """
    if choice == "none":
        return ()
    if choice in _COUNTED:
        power = 1.0 if choice == "balanced" else 0.5
        rarity = np.where(counts > 0, np.maximum(counts, 1.0) ** -power, 0)
        return tuple((rarity * counts.sum() / (rarity * counts).sum()).tolist())
    try:
        weights = read_class_weights(as_path(choice), classes)
    except ValueError as error:
        raise ConfigError(f"{_SETTING}: {error}") from None
    if not np.dot(weights, counts):
        raise ConfigError(
            f"{_SETTING}: {choice} must give a weight above 0 to at least one class with videos"
        )
    return weights
