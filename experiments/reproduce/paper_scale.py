"""The scale `paper`: turns the rows of a paper into runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ml_collections import ConfigDict

from . import small_scale
from .paper_row import PaperRow
from .table import Row, Setup, Table


def paper_table(
    name: str, title: str, source: str, printed: Sequence[PaperRow], reference: str = ""
) -> Table:
    """Builds a table that has the scale `paper` only.

    Args:
      name: name on the command line.
      title: title of the table.
      source: the paper and the number of the table.
      printed: rows of the table.
      reference: name of the row that other rows are compared with by default; if empty, the first
        row that is trained.
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


def paper_setups(printed: Sequence[PaperRow]) -> dict[str, Setup]:
    """Returns the setups of the rows that have a configuration, by data set."""
    trained = [row for row in printed if row.config]
    return {
        dataset: _setup([row for row in trained if row.dataset == dataset])
        for dataset in dict.fromkeys(row.dataset for row in trained)
    }


def _setup(printed: Sequence[PaperRow]) -> Setup:
    rows = tuple(Row(row.folder, row.label, row.top1, row.against) for row in printed)
    return Setup(_configure(printed), small_scale.SEEDS, rows=rows)


def _configure(printed: Sequence[PaperRow]) -> Callable[[str], ConfigDict]:
    by_name = {row.folder: row for row in printed}
    return lambda name: by_name[name].recipe()
