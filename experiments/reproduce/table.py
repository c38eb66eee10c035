"""Defines a table: its rows, the reference row, and the setups of its scales."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_collections import ConfigDict

from vidjax.untrusted_names import nearest

from . import tables
from .contrasts import Contrast
from .paper_row import PaperRow

SCALES = ("smoke", "small", "gpu", "paper")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      name: name of its folder, and argument of `Setup.config`.
      label: label in the table.
      paper: the paper's top-1 in percent; None if it prints none.
      against: name of the row to compare with; if empty, the table's reference.
      begins: name of the row whose trained network, with the same seed, this one begins from; empty
        begins anew.
    """

    name: str
    label: str
    paper: float | None = None
    against: str = ""
    begins: str = ""


@dataclass(frozen=True)
class Tuning:
    """The grid of learning rates and durations over which every row is tuned.

    Attributes:
      rates: learning rates.
      durations: durations of the training, such as `60 epochs`.
      seed: seed of all trials, which no run of a table has.
    """

    rates: tuple[float, ...]
    durations: tuple[str, ...]
    seed: int = 100


@dataclass(frozen=True)
class Setup:
    """How all rows are trained on one data set.

    Attributes:
      config: takes a row's name and returns the complete configuration of its runs, without the
        seed and the folder of the data set.
      seeds: seeds, one run each; they are fixed before any run starts.
      note: how the settings were chosen, and other remarks for the table.
      timed: classes that no single frame decides, which also get a score of their own.
      rows: rows that are trained on this data set; if empty, those of the table.
      minutes: minutes that all runs took on two CPU cores; 0 if that was not measured.
      tuning: the grid that `--tune` tries for each row on the validation videos; None has none.

    Raises:
      ValueError: a run of the table would have the seed of the tuning.
    """

    config: Callable[[str], ConfigDict]
    seeds: tuple[int, ...]
    note: str = ""
    timed: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    minutes: float = 0
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        if self.tuning and self.tuning.seed in self.seeds:
            raise ValueError(f"seed {self.tuning.seed} tunes the rows; the table needs others")


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
      name: name on the command line.
      title: title of the table.
      source: the paper, the number of the table, and the network and data set of its numbers.
      rows: rows of the setups that have none of their own, in order.
      reference: name of the row that the others are compared with.
      setups: for each scale, the setup of each data set.
      printed: rows of the paper.
      primary: the contrast that the table is made for; its p-value needs no correction. None
        corrects those of all contrasts.
      contrasts: the other contrasts; if there are none, each row is compared with its reference by
        top-1 on each data set.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    reference: str
    setups: Mapping[str, Mapping[str, Setup]]
    printed: tuple[PaperRow, ...] = ()
    primary: Contrast | None = None
    contrasts: tuple[Contrast, ...] = ()

    def at(self, scale: str) -> Mapping[str, Setup]:
        """Returns the setups of a scale, by data set.

        Raises:
          ValueError: it has no such scale.
        """
        if scale not in self.setups:
            have = ", ".join(self.setups) or "none: nothing in it is trained; use --analytical"
            raise ValueError(f"--scale={scale}: table {self.name} has {have}")
        return self.setups[scale]

    def folder(self, scale: str, output: Path) -> Path:
        """Returns the folder of the table at a scale."""
        return output / f"{self.name}-{scale}"

    def rows_on(self, scale: str, dataset: str) -> tuple[Row, ...]:
        """Returns the rows that are trained on a data set at a scale."""
        return self.at(scale)[dataset].rows or self.rows


# The name that stands for all tables.
ALL = "all"


def find_tables(names: Sequence[str]) -> list[Table]:
    """Returns the tables with these names; `all` returns all tables, sorted by name.

    Raises:
      ValueError: there is no such table; the message lists the tables.
    """
    known = {table.name: table for table in _all()}
    if [*names] == [ALL]:
        return [known[name] for name in sorted(known)]
    for name in names:
        if name not in known:
            raise ValueError(f"--table={name} is unknown: {nearest(name, known)}")
    return [known[name] for name in names]


def _all() -> Iterable[Table]:
    for info in pkgutil.iter_modules(tables.__path__):
        module = importlib.import_module(f"{tables.__name__}.{info.name}")
        yield module.TABLE
