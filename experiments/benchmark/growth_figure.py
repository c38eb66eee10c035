"""Plots the points of `vidjax benchmark growth` on logarithmic axes, with a line of slope 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidjax.storage.writing import writing_bytes

if TYPE_CHECKING:
    from .growth_line import Line

# Two panels side by side can be read on a page; four could not.
_ACROSS = 2
_MARKS = ("o", "s", "^", "D", "v", "P")


def draw(file: Path, lines: Sequence[Line]) -> None:
    """Draws one panel per axis: each quantity as a multiple of its value at the smallest size.

    Args:
      file: PNG to write.
      lines: lines of any axes.
    """
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(line.axis for line in lines))
    across = min(_ACROSS, len(axes))
    down = -(-len(axes) // across)
    figure = Figure(figsize=(3.8 * across, 2.8 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flat
    for panel, axis in zip(panels, axes, strict=False):
        _panel(panel, axis, [line for line in lines if line.axis == axis])
    for panel in list(panels)[len(axes) :]:
        panel.set_visible(False)
    figure.supylabel("times as much as at the smallest size", fontsize="medium")
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _panel(panel: Any, axis: str, lines: Sequence[Line]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    sizes = sorted({size for line in lines for size in line.points})
    linear = [size / sizes[0] for size in sizes]
    panel.plot(sizes, linear, color="grey", linestyle="--", linewidth=1, label="linear")
    for line, mark in zip(lines, _MARKS, strict=False):
        own = sorted(line.points)
        first = line.points[own[0]]
        values = [line.points[size] / first for size in own]
        label = f"{line.quantity}: {line.exponent:.2f}"
        panel.plot(own, values, marker=mark, markersize=4, linewidth=1.2, label=label)
    panel.set_xscale("log", base=2 if sizes[-1] < 100 * sizes[0] else 10)
    panel.set_yscale("log")
    if sizes[-1] < 100 * sizes[0]:
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.minorticks_off()
    low, high = panel.get_ylim()
    panel.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter("{x:g}")
    panel.set_title(axis, fontsize="medium")
    panel.grid(alpha=0.3)
    panel.legend(fontsize="x-small", frameon=False)
