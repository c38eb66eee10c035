"""Parts of Markdown tables of runs: numbers, rows, failures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .statistics import Interval


def percent(value: Interval, sign: str = "") -> str:
    """Formats a fraction as percent, such as `21.4 ± 2.3`; a dash if it is unknown."""
    half = "" if math.isnan(value.half) else f" ± {100 * value.half:.1f}"
    return number(100 * value.mean, f"{sign}.1f") + half


def number(value: float, form: str) -> str:
    """Formats a number; a dash if it is unknown."""
    return "–" if math.isnan(value) else format(value, form)


def rows(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """Returns a table with the first column left-aligned and the others right-aligned."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *cells))


def row(*cells: object) -> str:
    """Returns a row of a table; bars within a cell are escaped, and line breaks become spaces."""
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"


def failures(lost: Iterable[tuple[str, str, str]]) -> list[str]:
    """Lists the runs that are not finished, if there are any.

    Args:
      lost: name, state and error of each run.
    """
    lines = [f"- `{name}` {state}: {error}" for name, state, error in lost]
    return ["\n".join(lines)] if lines else []
