"""Plots goodput: what a run spent its time on, in total and for each start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes
from vidjax.training import goodput
from vidjax.training.goodput import Start

FILE = "goodput.png"
# Colour of each kind, in the order in which they occur in a start.
_COLOURS = {
    "starting": "0.75",
    "compiling": "#8c6bb1",
    "steps": "#2a9d5c",
    "waiting": "#e9a23b",
    "checkpoints": "#3b7dd8",
    "evaluation": "#5bc0be",
    "repeated": "#c44536",
}
# The most starts with a bar.
_MOST = 24
_SECONDS = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
# The smallest share with room for a number.
_WIDE = 0.04


def draw_goodput(workdir: Path) -> Path | None:
    """Plots the goodput of a run; returns the file, or None if nothing is known.

    Raises:
      RecordError: `timing.jsonl` is damaged.
    """
    found = goodput.starts(goodput.read_spent(workdir))
    return draw(workdir / FILE, found) if found else None


def draw(file: Path, found: Sequence[Start]) -> Path:
    """Plots starts as a PNG: the shares of all starts on top, the time of each start below."""
    from matplotlib.figure import Figure

    shown = found[-_MOST:]
    figure = Figure(figsize=(9, 2.6 + 0.32 * len(shown)), layout="constrained")
    whole, each = figure.subplots(2, 1, height_ratios=(1.2, 0.6 + 0.5 * len(shown)))
    _draw_shares(whole, found)
    _draw_starts(each, shown, len(found) - len(shown))
    named = [
        whole.barh([0], [0], color=color, label=goodput.WORDS[kind])
        for kind, color in _COLOURS.items()
    ]
    figure.legend(handles=named, loc="outside lower center", ncols=4, frameon=False)
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)
    return file


def _draw_shares(axes: Any, found: Sequence[Start]) -> None:
    total = max(goodput.total_seconds(found), 1e-9)
    left = 0.0
    for kind, color in _COLOURS.items():
        share = sum(_seconds(start)[kind] for start in found) / total
        axes.barh([0], [100 * share], left=100 * left, color=color, height=0.7)
        if share >= _WIDE:
            axes.text(100 * (left + share / 2), 0, f"{share:.0%}", ha="center", va="center")
        left += share
    axes.set_title(goodput.headline(found))
    axes.set_xlim(0, 100)
    axes.set_yticks([])
    axes.set_xlabel("share of the time (%)")


def _draw_starts(axes: Any, shown: Sequence[Start], before: int) -> None:
    longest = max(sum(_seconds(start).values()) for start in shown)
    name, unit = next(
        ((name, unit) for name, unit in _SECONDS.items() if longest >= 2 * unit), ("seconds", 1.0)
    )
    for place, start in enumerate(shown):
        left = 0.0
        for kind, seconds in _seconds(start).items():
            axes.barh([place], [seconds / unit], left=left, color=_COLOURS[kind], height=0.7)
            left += seconds / unit
    names = [
        f"start {before + place}: steps {start.first:,} to {start.last:,}"
        for place, start in enumerate(shown, 1)
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    axes.set_xlabel(name)
    if before:
        axes.set_title(f"the last {len(shown)} starts")


def _seconds(start: Start) -> Mapping[str, float]:
    by_kind = {**start.seconds, "repeated": start.repeated}
    return {kind: by_kind[kind] for kind in _COLOURS}
