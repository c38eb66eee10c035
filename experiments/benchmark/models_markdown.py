"""Formats measurements of networks as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from .measurement import COLUMNS, Measurement

_CASE = ("network", "pass", "type", "batch x clip")


def render(rows: Sequence[Measurement]) -> str:
    """Formats one row per measurement; only the first row of a case names the case."""
    lines = [_line([*_CASE, "who", *COLUMNS[1:]]), _line(["---"] * (len(_CASE) + len(COLUMNS)))]
    before: tuple[str, ...] = ()
    for row in rows:
        case = (row.network, row.task, row.dtype, f"{row.batch} x {row.clip}")
        lines.append(_line([*([""] * len(case) if case == before else case), *row.cells()]))
        before = case
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
