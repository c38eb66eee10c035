"""Averages frequency curves over the seeds of each network, and compares the networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.explain.frequency import PARTS, Point
from vidjax.explain.frequency_plot import LOOKS, NAMES
from vidjax.explain.reliance import relative, reliance
from vidjax.untrusted_names import figure_text

from ..runs.markdown import percent, rows
from ..runs.statistics import Interval, interval
from . import seed_comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("network", "seeds", "top-1 %", "reliance", "difference from {}", "p")
_MEANING = (
    "Reliance on high frequencies: the accuracy that is left when low frequencies are scaled minus "
    "the accuracy that is left when high frequencies are scaled, in percent of the accuracy of the "
    "unchanged network, averaged over the scales {scales}. A network that needs only high "
    "frequencies has a positive number. Numbers are means over seeds ± half the width of the 95 % "
    "Student-t interval; *difference* and *p* are those of the paired t-test over common seeds, "
    "not corrected for the number of rows. Batch statistics: {statistics}."
)


@dataclass(frozen=True)
class Curves:
    """The curves of the runs of one network.

    Attributes:
      name: name of the network.
      points: the points of each seed.
    """

    name: str
    points: Mapping[int, Sequence[Point]]

    @property
    def top1(self) -> Interval:
        """Accuracy of the unchanged network."""
        return interval([_unchanged(points) for points in self.points.values()])

    @property
    def reliance(self) -> dict[int, float]:
        """The reliance of each seed on high frequencies."""
        return {seed: reliance(points) for seed, points in self.points.items()}

    def relative(self, part: str) -> tuple[list[float], list[Interval]]:
        """Returns the scales of a part, and accuracies relative to scale 1 over the seeds."""
        runs = [relative(points) for points in self.points.values()]
        scales = sorted(scale for own, scale in runs[0] if own == part)
        return scales, [interval([run[part, scale] for run in runs]) for scale in scales]


def _unchanged(points: Sequence[Point]) -> float:
    return next(point.top1 for point in points if point.scale == 1)


@dataclass(frozen=True)
class RelianceRow:
    """A run's reliance on high frequencies; the columns of `reliance.csv`.

    Attributes:
      network: name of the network.
      seed: seed of the run.
      top1: accuracy of the unchanged network.
      reliance: as in `vidjax.explain.reliance`.
    """

    network: str
    seed: int
    top1: float
    reliance: float


def reliance_rows(networks: Sequence[Curves]) -> list[RelianceRow]:
    """Returns a row for each run."""
    return [
        RelianceRow(own.name, seed, _unchanged(points), own.reliance[seed])
        for own in networks
        for seed, points in own.points.items()
    ]


def render(networks: Sequence[Curves], statistics: str) -> str:
    """Returns the text of `reliance.md`.

    Args:
      networks: the networks; all are compared with the first.
      statistics: how batch statistics were computed.
    """
    first = networks[0]
    scales = first.relative(PARTS[0])[0]
    texts = ", ".join(f"{scale:g}" for scale in scales if scale != 1)
    columns = [column.format(figure_text(first.name)) for column in COLUMNS]
    reliances = {own.name: own.reliance for own in networks}
    cells = [
        [
            figure_text(own.name),
            str(len(own.points)),
            percent(own.top1),
            *seed_comparison.cells(reliances, own.name),
        ]
        for own in networks
    ]
    meaning = _MEANING.format(scales=texts, statistics=statistics)
    return f"{rows(columns, cells)}\n\n{meaning}\n"


def draw(networks: Sequence[Curves]) -> Figure:
    """Plots relative accuracies over the scale, and the reliance of each network.

    Left: means over seeds, with a band for the 95 % interval. Right: a mark with its interval, and
    a dot for each seed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), layout="constrained")
    curves, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    curves.axvline(1, color="0.85", zorder=0)
    for place, own in enumerate(networks):
        for part in PARTS:
            _draw_part(curves, own, part, f"C{place}")
    curves.set_xlabel("scale of one part of the features (the other part is unchanged)")
    curves.set_ylabel("top-1 relative to scale 1 (%)")
    curves.set_ylim(bottom=0)
    seed_comparison.draw(bars, {own.name: own.reliance for own in networks})
    bars.set_xlabel("reliance on high frequencies (points)\nneeds low ← → needs high")
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_part(axes: Any, own: Curves, part: str, color: str) -> None:
    scales, over = own.relative(part)
    means = np.array([100 * each.mean for each in over])
    halves = np.array([100 * np.nan_to_num(each.half) for each in over])
    label = f"{figure_text(own.name)}: {NAMES[part]}"
    axes.plot(scales, means, color=color, label=label, **LOOKS[part])
    axes.fill_between(scales, means - halves, means + halves, color=color, alpha=0.12, lw=0)
