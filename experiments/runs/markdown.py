"""What tables of runs as Markdown have in common: numbers, rows, failures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .statistics import Interval


def percent(value: Interval, sign: str = "") -> str:
    """Such as `21.4 ± 2.3`, from fractions; a dash where nothing is known."""
    half = "" if math.isnan(value.half) else f" ± {100 * value.half:.1f}"
    return number(100 * value.mean, f"{sign}.1f") + half


def number(value: float, form: str) -> str:
    """A number; a dash where it is not known."""
    return "–" if math.isnan(value) else format(value, form)


def rows(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *cells))


def failures(lost: Iterable[tuple[str, str, str]]) -> list[str]:
    """A list of the runs that are not finished, if there are any.

    Args:
      lost: name, state and error of each.
    """
    lines = [f"- `{name}` {state}: {error}" for name, state, error in lost]
    return ["\n".join(lines)] if lines else []
