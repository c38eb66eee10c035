"""What each class weighs in a run's loss, and how often it is seen.

The weights belong to the run. They are kept in its directory, and a run whose weights have changed
since it began, because its table was edited, is refused.
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
from vidjax.untrusted_names import told

FILE = "class_weights.csv"
_COUNTED = ("balanced", "inverse_sqrt")
_SETTING = "train.class_weights"


@dataclass(frozen=True)
class ClassWeights:
    """The classes of a run.

    Attributes:
      classes: their names.
      counts: training videos of each, int `[K]`; None where nothing needs them.
      weights: of each in the loss, index by index; empty where all weigh the same.
    """

    classes: tuple[str, ...]
    counts: np.ndarray | None = None
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, config: Config, source: VideoSource) -> ClassWeights:
        """Those of a configuration and its training split.

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
        """Writes the weights into a run's directory, or compares them with those that are there.

        Raises:
          ConfigError: the run began with others.
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
                    f"{_SETTING}: class {told(name)!r} weighs {new:g} now, and {old:g} when the "
                    f"run began. Name another --workdir, or weigh classes as {file} does"
                )


def require_table(choice: str) -> None:
    """Refuses a table of weights that is not there, before data are prepared for hours.

    Raises:
      ConfigError: there is no such file.
    """
    if choice not in ("none", *_COUNTED) and not as_path(choice).is_file():
        raise ConfigError(f"{_SETTING} = {choice!r}: there is no such file")


def weigh(choice: str, counts: np.ndarray, classes: Sequence[str]) -> tuple[float, ...]:
    """The weights of the classes, index by index; empty where all weigh the same.

    Those made from counts have a mean of 1 over the videos. A class without videos weighs nothing.

    Args:
      choice: `none`; `balanced`, n / (K count) for n videos of K classes that have some;
        `inverse_sqrt`, in proportion to 1 / sqrt(count); or the path of a CSV.
      counts: videos of each class, int `[K]`.
      classes: their names.

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
        raise ConfigError(f"{_SETTING}: {choice} gives no class with videos a weight above 0")
    return weights
