"""Plots the curves of `frequency`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidjax.explain.frequency import Point
from vidjax.explain.tables import distinct_parts
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"low": "low frequencies", "high": "high frequencies"}
# The paper's markers; a triangle stays visible inside a circle where two curves meet.
LOOKS = {
    "low": {"marker": "o", "markersize": 9, "fillstyle": "none"},
    "high": {"marker": "^", "markersize": 5, "linestyle": "--"},
}


def draw_points(points: Sequence[Point]) -> Figure:
    """Plots top-1 accuracy over the scale, two curves per run (RMS paper, figures 1 and 4).

    Args:
      points: points of one or several runs. Each run has a colour; circles are the low frequencies
        and triangles the high ones.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    runs = list(dict.fromkeys(point.run for point in points))
    labels = dict(zip(runs, map(figure_text, distinct_parts(runs)), strict=True))
    # The unchanged network is a common point of a run's curves.
    axes.axvline(1, color="0.85", zorder=0)
    for part, name in NAMES.items():
        for number, run in enumerate(runs):
            curve = [point for point in points if (point.run, point.part) == (run, part)]
            scales, accuracies = zip(*((p.scale, 100 * p.top1) for p in curve), strict=True)
            (line,) = axes.plot(
                scales, accuracies, color=f"C{number}", label=f"{labels[run]}: {name}"
            )
            line.set(**LOOKS[part])
    axes.set_xlabel("scale of one part of the features (the other part is unchanged)")
    axes.set_ylabel("top-1 accuracy (%)")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=len(NAMES))
    return figure
