"""Rows of the papers' tables about a network without methods, with our counts beside them."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

from ..reproduce.analytical import (
    Counter,
    Line,
    our_count,
    our_macs,
    printed_number,
    printed_operations,
)
from ..reproduce.paper_row import PaperRow
from ..reproduce.table import ALL, Table, find_tables
from ..runs.markdown import row

_HEAD = """\
These rows of the papers' tables are about this network, with our counts beside their numbers
(multiply-adds in 1e9, parameters in millions). `*` marks a difference of more than 2 %. We have
trained none of them at this scale ([small versions](../results.md)).

| table | row | top-1 % | top-5 % | GFLOPs x views | ours (G) | parameters (M) | ours (M) |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def section(name: str, counter: Counter) -> Iterator[str]:
    """Yields a table of the rows of a network without methods; nothing if there are none."""
    found = [
        (table, printed)
        for table in _tables()
        for printed in table.printed
        if printed.network and printed.network.name == name and not printed.network.options
    ]
    if found:
        yield _HEAD
        for table, printed in found:
            yield _row(table, printed, counter)
        yield ""


@functools.cache
def _tables() -> tuple[Table, ...]:
    return tuple(find_tables([ALL]))


def _row(table: Table, printed: PaperRow, counter: Counter) -> str:
    line = Line.of(printed, counter)
    return row(
        f"[{table.name}](../tables.md#{_anchor(f'{table.name}: {table.title}')})",
        printed.label,
        printed_number(printed.top1) or "-",
        printed_number(printed.top5) or "-",
        printed_operations(line) or "-",
        our_macs(line),
        printed_number(printed.params) or "-",
        our_count(line.params, line.other_params),
    )


def _anchor(heading: str) -> str:
    """Returns the anchor of a heading, as Python-Markdown and GitHub make it."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
