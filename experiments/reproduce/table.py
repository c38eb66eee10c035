"""What a table is: its rows, the row that the others are compared with, and its budgets."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ml_collections import ConfigDict

from vidjax.names import nearest

from . import tables

SCALES = ("smoke", "small", "paper")


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
      name: of its folder, and what `Setup.config` is asked for.
      label: in the table.
      paper: top-1 in percent that the paper prints; None where it prints none.
    """

    name: str
    label: str
    paper: float | None = None


@dataclass(frozen=True)
class Setup:
    """The budget of all rows on one data set.

    Attributes:
      config: from a row's name to the complete configuration of its runs, but for the seed and
        for where the data set is.
      seeds: one run each, written down before any is started.
      note: how the budget was chosen, and what else belongs beside the numbers.
      timed: classes that no single frame tells apart, which are scored by themselves as well.
    """

    config: Callable[[str], ConfigDict]
    seeds: tuple[int, ...]
    note: str = ""
    timed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
      name: on the command line.
      title: what it shows.
      source: where the paper has it, and what the paper's numbers were measured on.
      rows: in their order.
      reference: name of the row that the others are compared with.
      setups: data set -> setup, for each scale.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    reference: str
    setups: Mapping[str, Mapping[str, Setup]]


def find_tables(names: Iterable[str]) -> list[Table]:
    """The tables of these names.

    Raises:
      ValueError: there is no such table; those there are are listed.
    """
    known = {table.name: table for table in _all()}
    for name in names:
        if name not in known:
            raise ValueError(f"--table={name} is unknown: {nearest(name, known)}")
    return [known[name] for name in names]


def _all() -> Iterable[Table]:
    for info in pkgutil.iter_modules(tables.__path__):
        module = importlib.import_module(f"{tables.__name__}.{info.name}")
        yield module.TABLE
