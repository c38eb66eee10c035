"""Tables at the scale `paper`: from the rows that a work prints to runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ml_collections import ConfigDict

from . import small_scale
from .paper_row import Printed
from .table import Row, Setup, Table


def paper_table(
    name: str, title: str, source: str, printed: Sequence[Printed], reference: str = ""
) -> Table:
    """A table that has no smaller scale.

    Args:
      name: on the command line.
      title: what it shows.
      source: where the work has it.
      printed: its rows.
      reference: name of the row that those without a row of their own are compared with; the
        first that is trained if it is empty.
    """
    setups = paper_setups(printed)
    return Table(
        name=name,
        title=title,
        source=source,
        rows=(),
        reference=reference or next((row.folder for row in printed if row.config), ""),
        setups={"paper": setups} if setups else {},
        printed=tuple(printed),
    )


def paper_setups(printed: Sequence[Printed]) -> dict[str, Setup]:
    """The setups of the rows that a configuration trains, by data set."""
    trained = [row for row in printed if row.config]
    return {
        dataset: _setup([row for row in trained if row.dataset == dataset])
        for dataset in dict.fromkeys(row.dataset for row in trained)
    }


def _setup(printed: Sequence[Printed]) -> Setup:
    rows = tuple(Row(row.folder, row.label, row.top1, row.against) for row in printed)
    return Setup(_configure(printed), small_scale.SEEDS, rows=rows)


def _configure(printed: Sequence[Printed]) -> Callable[[str], ConfigDict]:
    by_name = {row.folder: row for row in printed}
    return lambda name: by_name[name].recipe()
