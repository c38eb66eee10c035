"""Plots clips per second of networks, and the share of the machine's peak rate that they reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from .measurement import Measurement

_MARKS = ("o", "s", "^", "D", "v")


def draw(file: Path, rows: Sequence[Measurement], title: str) -> None:
    """Draws one line per case: clips per second on the left, share of the peak rate on the right.

    Args:
      file: PNG to write.
      rows: measurements of any cases.
      title: title of the figure.
    """
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(map(_case, rows)))
    figure = Figure(figsize=(11, 1.8 + 0.32 * len(cases)), layout="constrained")
    speed, share = figure.subplots(1, 2, sharey=True)
    for index, peer in enumerate(dict.fromkeys(row.peer for row in rows)):
        own = [row for row in rows if row.peer == peer]
        places = [cases.index(_case(row)) for row in own]
        style = {"fmt": _MARKS[index % len(_MARKS)], "label": peer, "alpha": 0.8}
        speeds = [row.clips_per_second for row in own]
        speed.errorbar(speeds, places, xerr=list(map(_spread, own)), capsize=3, **style)
        share.errorbar([100 * row.of_matmul for row in own], places, **style)
    _scale(speed, [row.clips_per_second for row in rows])
    speed.set_xlabel("clips/s, ± half of the interquartile range")
    share.set_xlabel("FLOP/s, % of the best matrix product")
    _lines(speed, cases)
    share.set_xlim(left=0)
    share.grid(axis="x", alpha=0.3)
    figure.legend(*speed.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.suptitle(figure_text(title, 300), fontsize="small", wrap=True)
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _case(row: Measurement) -> str:
    return f"{row.network}, {row.task}, {row.dtype}, {row.batch} x {row.clip}"


def _spread(row: Measurement) -> float:
    return row.clips_per_second * (row.half_iqr_ms or 0) / row.ms


def _scale(axes: Any, speeds: Sequence[float]) -> None:
    """Starts the axis at zero, or makes it logarithmic if slow values could not be told apart."""
    if max(speeds) < 10 * min(speeds):
        axes.set_xlim(left=0)
        return
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _lines(axes: Any, cases: Sequence[str]) -> None:
    axes.set_yticks(range(len(cases)), cases)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
