"""What a table is: its rows, the row that the others are compared with, and its budgets."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ml_collections import ConfigDict

from vidjax.untrusted_names import nearest

from . import tables
from .paper_row import Printed

SCALES = ("smoke", "small", "paper")


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
      name: of its folder, and what `Setup.config` is asked for.
      label: in the table.
      paper: top-1 in percent that the paper prints; None where it prints none.
      against: name of the row that it is compared with; the table's reference if it is empty.
    """

    name: str
    label: str
    paper: float | None = None
    against: str = ""


@dataclass(frozen=True)
class Setup:
    """The budget of all rows on one data set.

    Attributes:
      config: from a row's name to the complete configuration of its runs, but for the seed and
        for where the data set is.
      seeds: one run each, written down before any is started.
      note: how the budget was chosen, and what else belongs beside the numbers.
      timed: classes that no single frame tells apart, which are scored by themselves as well.
      rows: those that are trained on it; empty if they are the table's.
      minutes: that all of its runs took on two CPU cores; 0 where that was not measured.
    """

    config: Callable[[str], ConfigDict]
    seeds: tuple[int, ...]
    note: str = ""
    timed: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    minutes: float = 0


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
      name: on the command line.
      title: what it shows.
      source: where the paper has it, and what the paper's numbers were measured on.
      rows: of the scales whose setups have none of their own, in their order.
      reference: name of the row that the others are compared with.
      setups: data set -> setup, for each scale that it has.
      printed: the rows as the work prints them.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    reference: str
    setups: Mapping[str, Mapping[str, Setup]]
    printed: tuple[Printed, ...] = ()

    def at(self, scale: str) -> Mapping[str, Setup]:
        """The setups of a scale, by data set.

        Raises:
          ValueError: it has no such scale.
        """
        if scale not in self.setups:
            have = (
                ", ".join(self.setups) or "none: nothing in it is trained, and --analytical counts"
            )
            raise ValueError(f"--scale={scale}: table {self.name} has {have}")
        return self.setups[scale]

    def rows_on(self, scale: str, dataset: str) -> tuple[Row, ...]:
        """The rows that are trained on a data set at a scale."""
        return self.at(scale)[dataset].rows or self.rows


# A name that stands for every table.
ALL = "all"


def find_tables(names: Sequence[str]) -> list[Table]:
    """The tables of these names, or all tables, by their names, where they are `all`.

    Raises:
      ValueError: there is no such table; those there are are listed.
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
