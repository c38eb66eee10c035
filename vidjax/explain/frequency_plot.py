"""Plots the curves of `frequency`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.explain.frequency import Point
from vidjax.explain.tables import distinct_parts
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"low": "low frequencies", "high": "high frequencies"}
# The paper's markers; a triangle stays visible inside a circle where two curves meet.
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "low": {"marker": "o", "markersize": 9, "fillstyle": "none"},
    "high": {"marker": "^", "markersize": 5, "linestyle": "--"},
}
_COLUMNS = 3


def draw_points(points: Sequence[Point]) -> Figure:
    """Plots top-1 accuracy over the scale, two curves per run (RMS paper, figures 1 and 4).

    Args:
      points: points of one or several runs. Each run has a colour; circles are the low frequencies
        and triangles the high ones.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    runs = list(dict.fromkeys(point.run for point in points))
    labels = dict(zip(runs, map(figure_text, distinct_parts(runs)), strict=True))
    colors = _colors(len(runs))
    legend = [Line2D([], [], color=colors[at], label=labels[run]) for at, run in enumerate(runs)]
    legend += [Line2D([], [], color="0.4", label=NAMES[part], **LOOKS[part]) for part in NAMES]
    # The legend grows with the runs; the axes stay as they are.
    height = 4.2 + 0.22 * math.ceil(len(legend) / _COLUMNS)
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots()
    # The unchanged network is a common point of a run's curves.
    axes.axvline(1, color="0.85", zorder=0)
    for part, name in NAMES.items():
        for number, run in enumerate(runs):
            curve = [point for point in points if (point.run, point.part) == (run, part)]
            scales, accuracies = zip(*((p.scale, 100 * p.top1) for p in curve), strict=True)
            (line,) = axes.plot(
                scales, accuracies, color=colors[number], label=f"{labels[run]}: {name}"
            )
            line.set(**LOOKS[part])
    axes.set_xlabel("scale of one part of the features (the other part is unchanged)")
    axes.set_ylabel("top-1 accuracy (%)")
    axes.set_ylim(bottom=0)
    figure.legend(handles=legend, loc="outside lower center", ncols=_COLUMNS)
    return figure


def _colors(count: int) -> list[Any]:
    """Returns distinct colours: the usual ones, or for more than ten runs, those of a rainbow."""
    import matplotlib

    if count <= 10:
        return [f"C{number}" for number in range(count)]
    return list(matplotlib.colormaps["turbo"](np.linspace(0.05, 0.95, count)))
