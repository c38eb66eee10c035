"""The points that `vidjax tradeoff` plots, from evaluations and from the papers' tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.run.config import from_mapping
from vidjax.run.workdir import read_classes, read_config
from vidjax.storage.paths import as_path
from vidjax.untrusted_names import figure_text

from .evaluation_files import PREDICTIONS, by_protocol
from .reproduce.analytical import Counter
from .reproduce.paper_row import Network
from .reproduce.table import Table
from .tradeoff_numbers import write_numbers

# Area of a point in points squared: that of no parameters, and what a million parameters add.
_LEAST, _MILLION = 120, 4.0
# Ratio of the largest to the smallest cost above which the axis is logarithmic.
_FAR = 4


class _Views(msgspec.Struct):
    size: int
    frames: int


class _Report(msgspec.Struct):
    """The parts of a report that a point needs."""

    top1: records.Share
    views: _Views


@dataclass(frozen=True)
class Point:
    """The accuracy and cost of a network; the attributes are the columns of the CSV.

    Attributes:
      label: name of the run, or of the printed row.
      dataset: data set that it was tested on.
      source: protocol of the evaluation, or the table.
      top1: top-1 accuracy in percent.
      macs: multiply-adds per view, in 1e9.
      params: parameters in millions.
      printed: whether a paper prints the accuracy.
      after: label of the point that an arrow comes from; empty if there is none.
    """

    label: str
    dataset: str
    source: str
    top1: float
    macs: float
    params: float
    printed: bool = False
    after: str = ""


def of_run(run: Path, counter: Counter, protocol: str | None = None) -> Point:
    """Returns the point of a run's newest evaluation.

    Args:
      run: directory of the run.
      counter: counts networks.
      protocol: protocol of the evaluation, if there are several.

    Raises:
      ValueError: the run has no such evaluation, or has several.
    """
    found = by_protocol(run, PREDICTIONS)
    if protocol and protocol not in found:
        raise ValueError(f"--protocol={protocol}: {run} has {', '.join(sorted(found))}")
    if not protocol and len(found) > 1:
        raise ValueError(f"{run} has {', '.join(sorted(found))}: choose one with --protocol")
    protocol = protocol or next(iter(found))
    file = found[protocol][-1]
    report = records.read(
        file.with_name(f"{file.name[: -len(PREDICTIONS)]}.json"), _Report, "evaluate again"
    )
    config = from_mapping(read_config(run))
    network = Network(
        config.model.name,
        report.views.frames,
        report.views.size,
        config.model.options,
        len(read_classes(run)),
    )
    cost = counter.count(network)
    data = config.data.manifest or config.data.name
    macs, params = cost.macs / 1e9, cost.params / 1e6
    return Point(run.name, as_path(data).stem, protocol, 100 * report.top1, macs, params)


def of_table(work: Table, counter: Counter) -> Iterator[Point]:
    """Yields the points of a paper's table: rows with a score whose network exists here."""
    named = {row.folder: row.label for row in work.printed}
    for row in work.printed:
        if row.network is not None and row.top1 is not None:
            cost = counter.count(row.network)
            yield Point(
                row.label,
                row.dataset or _only_dataset(work),
                f"table {work.name}",
                row.top1,
                cost.macs / 1e9,
                cost.params / 1e6,
                printed=True,
                after=named.get(row.against, ""),
            )


def _only_dataset(work: Table) -> str:
    """Returns the data set of a table whose rows have the same one; else the table's name."""
    known = {row.dataset for row in work.printed if row.dataset}
    return known.pop() if len(known) == 1 else work.name


def draw(points: Sequence[Point]) -> Any:
    """Draws two panels for each data set; returns a Matplotlib figure.

    Points have numbers, which a legend explains, because names would overlap.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    datasets = dict.fromkeys(point.dataset for point in points)
    figure = Figure(figsize=(9.5, 0.6 + 3.6 * len(datasets)), layout="constrained")
    grid = figure.subplots(len(datasets), 2, squeeze=False, sharey="row")
    rows = [[point for point in points if point.dataset == dataset] for dataset in datasets]
    for (left, right), dataset, shown in zip(grid, datasets, rows, strict=True):
        _panel(left, shown, "macs")
        _panel(right, shown, "params")
        left.set_ylabel("top-1, %")
        left.set_xlabel("multiply-adds per view, 1e9")
        right.set_xlabel("parameters, 1e6")
        left.set_title(figure_text(dataset), loc="left")
        names = [figure_text(f"{place}  {each.label}") for place, each in enumerate(shown, 1)]
        keys = [Line2D([], [], linestyle="none", label=name) for name in names]
        right.legend(
            handles=keys, loc="upper left", bbox_to_anchor=(1, 1), handlelength=0, frameon=False
        )
    printed = "; hollow: scores that a paper prints" if any(p.printed for p in points) else ""
    figure.suptitle(f"areas grow with the number of parameters{printed}")
    # Numbers are placed by distances on the page, so everything else must have its place.
    figure.draw_without_rendering()
    for panels, shown in zip(grid, rows, strict=True):
        for axes, cost in zip(panels, ("macs", "params"), strict=True):
            places = [(getattr(point, cost), point.top1) for point in shown]
            colours = ["black" if point.printed else "white" for point in shown]
            write_numbers(axes, places, colours, "black")
    return figure


def _panel(axes: Any, points: Sequence[Point], cost: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    places = {point.label: (getattr(point, cost), point.top1) for point in points}
    afters = {point.after for point in points if point.after}
    for point in points:
        x, y = getattr(point, cost), point.top1
        color = "0.45" if point.label in afters else "C0"
        face = "none" if point.printed else color
        size = _LEAST + _MILLION * point.params
        axes.scatter(x, y, s=size, facecolors=face, edgecolors=color, alpha=0.8, zorder=2)
        if point.after in places:
            arrow = {"arrowstyle": "->", "color": "C0", "alpha": 0.6}
            axes.annotate("", (x, y), xytext=places[point.after], arrowprops=arrow)
    costs = [getattr(point, cost) for point in points]
    if max(costs) > _FAR * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.margins(0.12)
