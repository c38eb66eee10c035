"""The measurements of `truth` as a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from vidjax.explain.rows import what_differs
from vidjax.explain.truth import Truth, mean_interval
from vidjax.names import lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = tuple(field.name for field in fields(Truth))
Case = tuple[str, str, str]


@dataclass(frozen=True)
class TruthRow:
    """A mean over videos; the columns of `truth.csv`.

    Attributes:
      run: name of the network.
      weights: `trained` or `random`.
      map: which kind.
      quantity: an attribute of `Truth`.
      mean: over the videos.
      half: half the width of its 95 % interval over videos.
      videos: number of them.
    """

    run: str
    weights: str
    map: str
    quantity: str
    mean: float
    half: float
    videos: int


def rows_of(measured: Mapping[Case, Sequence[Truth]]) -> list[TruthRow]:
    """Means of what was measured, by run, weights and map."""
    rows = []
    for case, truths in measured.items():
        for name in QUANTITIES:
            values = np.array([float(getattr(truth, name)) for truth in truths])
            mean, half = mean_interval(values)
            rows.append(TruthRow(*case, name, round(mean, 6), round(half, 6), len(values)))
    return rows


def draw_truth(rows: Sequence[TruthRow]) -> Figure:
    """A panel for each quantity: bars of each map, trained (full) and random weights (hollow)."""
    from matplotlib.figure import Figure

    shown = [name for name in QUANTITIES if name != "area"]
    runs = list(dict.fromkeys(row.run for row in rows))
    # Of one run there is nothing to tell apart.
    names = what_differs(runs) if len(runs) > 1 else [""]
    labels = dict(zip(runs, map(lettering, names), strict=True))
    cases = list(dict.fromkeys((row.run, row.map, row.weights) for row in rows))
    figure = Figure(figsize=(3.1 * len(shown), 1.3 + 0.26 * len(cases)), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(shown), sharey=True), shown, strict=True):
        own = {(row.run, row.map, row.weights): row for row in rows if row.quantity == name}
        for place, case in enumerate(cases):
            style = {"color": f"C{runs.index(case[0]) % 10}", "fill": case[2] == "trained"}
            axes.barh(place, own[case].mean, xerr=own[case].half, capsize=2, **style)
        axes.set_xlabel(name)
        axes.set_xlim(left=0)
        areas = [row.mean for row in rows if row.quantity == "area"]
        if name in ("pointing", "energy"):
            axes.axvline(float(np.mean(areas)), color="0.5", linestyle="--", linewidth=1)
    ticks = [f"{labels[run]} {kind}, {weights} weights".strip() for run, kind, weights in cases]
    figure.axes[0].set_yticks(range(len(cases)), ticks, fontsize=8)
    figure.axes[0].invert_yaxis()
    figure.suptitle(
        f"means over {rows[0].videos} test videos, 95 % intervals; dashed: area of the mask",
        fontsize=10,
    )
    return figure
