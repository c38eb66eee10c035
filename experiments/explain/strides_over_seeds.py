"""Averages accuracies at several strides over the seeds of each network, and compares networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vidjax.explain.strides import StridePoint, stride_drop
from vidjax.untrusted_names import figure_text

from ..runs.markdown import percent, rows
from ..runs.statistics import Interval, interval
from . import seed_comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MEANING = (
    "Top-1 in percent at each stride of the test clips. *drop*: top-1 at the stride of the "
    "training minus the mean over the other strides, in points. A network that cares little about "
    "durations has a small drop. Numbers are means over seeds ± half the width of the 95 % "
    "Student-t interval. *difference* and *p* are those of the paired t-test of the drops over "
    "common seeds, not corrected for the number of rows. There are {videos} test videos{without}."
)


@dataclass(frozen=True)
class StrideCurves:
    """The accuracies of the runs of one network.

    Attributes:
      name: name of the network.
      points: the points of each seed, with equal strides in equal order.
    """

    name: str
    points: Mapping[int, Sequence[StridePoint]]

    @property
    def drops(self) -> dict[int, float]:
        """The drop of each seed."""
        return {seed: stride_drop(points) for seed, points in self.points.items()}

    @property
    def strides(self) -> list[int]:
        """The strides of the test clips."""
        return [point.stride for point in next(iter(self.points.values()))]

    @property
    def top1(self) -> list[Interval]:
        """Accuracy at each stride over the seeds."""
        by_stride = zip(*self.points.values(), strict=True)
        return [interval([point.top1 for point in points]) for points in by_stride]


def render(networks: Sequence[StrideCurves], without: Sequence[str] = ()) -> str:
    """Returns the text of `strides.md`.

    Args:
      networks: the networks; all are compared with the first.
      without: classes whose videos were left out.
    """
    first = networks[0]
    strides = [f"stride {stride}, %" for stride in first.strides]
    difference = f"difference from {figure_text(first.name)}"
    columns = ("network", "seeds", *strides, "drop", difference, "p")
    left_out = f" without {', '.join(map(figure_text, without))}" if without else ""
    videos = next(iter(first.points.values()))[0].videos
    drops = {own.name: own.drops for own in networks}
    cells = [
        [
            figure_text(own.name),
            str(len(own.points)),
            *map(percent, own.top1),
            *seed_comparison.cells(drops, own.name),
        ]
        for own in networks
    ]
    meaning = _MEANING.format(videos=videos, without=left_out)
    return f"{rows(columns, cells)}\n\n{meaning}\n"


def draw(networks: Sequence[StrideCurves]) -> Figure:
    """Plots accuracy over the stride, and the drop of each network.

    Left: means over seeds, with a band for the 95 % interval. Right: a mark with its interval, and
    a dot for each seed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 + 0.4 * max(5, len(networks))), layout="constrained")
    curves, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, own in enumerate(networks):
        means = np.array([100 * each.mean for each in own.top1])
        halves = np.array([100 * np.nan_to_num(each.half) for each in own.top1])
        color, name = f"C{place}", figure_text(own.name)
        curves.plot(own.strides, means, color=color, marker="o", label=name)
        curves.fill_between(own.strides, means - halves, means + halves, color=color, alpha=0.1)
    curves.set_xticks(networks[0].strides)
    curves.set_xlabel("stride between the frames of a test clip")
    curves.set_ylabel("top-1 (%)")
    curves.set_ylim(0, 100)
    seed_comparison.draw(bars, {own.name: own.drops for own in networks})
    bars.set_xlabel("points lost at other strides than that of the training")
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
