"""Draws a table: differences from the reference and top-1, with all data sets side by side.

Each row of the table is a line of the picture. A mark is a mean over seeds with its 95 % interval,
and each dot is a seed. Each column of panels is a data set. The upper panels show the differences,
one panel for each metric of the table's contrasts; the lowest panel shows top-1. The primary
contrast is red.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from ..runs import seed_plot
from ..runs.statistics import Interval
from .contrast_results import ContrastResult
from .contrasts import METRICS
from .statistics import Summary

_OF_PRIMARY, _OF_OTHERS = "C3", "C0"
# Inches: one line, the text around a panel, the width of a panel, and a letter of the labels.
_LINE, _AROUND, _WIDE, _LETTER = 0.36, 0.75, 3.6, 0.08
_LEAST = 7.0
# Dots are below their mark, in lines.
_ASIDE = 0.28


def draw(
    file: Path,
    summaries: Mapping[str, Sequence[Summary]],
    contrasts: Sequence[ContrastResult],
    reference: str,
    title: str,
) -> None:
    """Draws the picture into a PNG file; the other arguments as in `compose`."""
    figure = compose(summaries, contrasts, reference, title)
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def compose(
    summaries: Mapping[str, Sequence[Summary]],
    contrasts: Sequence[ContrastResult],
    reference: str,
    title: str,
) -> Any:
    """Returns the picture as a Matplotlib figure.

    Args:
      summaries: rows of each data set.
      contrasts: results of the contrasts; each is a line in a panel of differences.
      reference: name of the row that is subtracted where a line names no other.
      title: title of the figure.
    """
    from matplotlib.figure import Figure

    metrics = [*dict.fromkeys(each.contrast.metric for each in contrasts)]
    lines = [_most_lines(contrasts, metric) for metric in metrics]
    lines.append(max(map(len, summaries.values())))
    labels = [row.row.label for rows in summaries.values() for row in rows]
    # Lines of a difference have "minus" before the label of the reference.
    beside = _LETTER * (len("minus ") + max(map(len, labels)))
    wide = (beside + _WIDE) * len(summaries)
    high = 0.7 + sum(_AROUND + _LINE * n for n in lines)
    figure = Figure(figsize=(max(_LEAST, wide), high), layout="constrained")
    grid = figure.subplots(
        len(lines), len(summaries), squeeze=False, sharex="row", height_ratios=lines
    )
    for panels, metric in zip(grid, metrics, strict=False):
        for axes, (dataset, rows) in zip(panels, summaries.items(), strict=True):
            named = {each.row.name: each.row.label for each in rows}
            _differences(axes, _shown(contrasts, metric, dataset), named, reference)
            of = figure_text(named.get(reference, reference))
            axes.set_xlabel(f"{METRICS[metric]} minus that of {of}, points")
    for axes, rows in zip(grid[-1], summaries.values(), strict=True):
        _accuracies(axes, rows)
    for axes, dataset in zip(grid[0], summaries, strict=True):
        axes.set_title(figure_text(dataset), loc="left")
    figure.suptitle(f"{figure_text(title)}\nmean over seeds, 95 % interval; dots are seeds")
    return figure


def _shown(contrasts: Sequence[ContrastResult], metric: str, dataset: str) -> list[ContrastResult]:
    return [
        each
        for each in contrasts
        if (each.contrast.dataset, each.contrast.metric) == (dataset, metric)
    ]


def _most_lines(contrasts: Sequence[ContrastResult], metric: str) -> int:
    """Returns the largest number of contrasts by a metric that any data set has."""
    datasets = [each.contrast.dataset for each in contrasts if each.contrast.metric == metric]
    return max(map(datasets.count, datasets))


def _differences(
    axes: Any, contrasts: Sequence[ContrastResult], labels: Mapping[str, str], reference: str
) -> None:
    axes.axvline(0, color="0.4", linewidth=1)
    names = []
    for place, each in enumerate(contrasts):
        color = _OF_PRIMARY if each.primary else _OF_OTHERS
        _line(axes, place, each.over_seeds, each.by_seed, color)
        row, other = labels[each.contrast.row], each.contrast.reference
        names.append(row if other == reference else f"{row}\nminus {labels[other]}")
    _label(axes, names)


def _accuracies(axes: Any, rows: Sequence[Summary]) -> None:
    for place, row in enumerate(rows):
        values = [result.top1 for result in row.finished]
        _line(axes, place, row.over_seeds("top1"), values, _OF_OTHERS)
    _label(axes, [row.row.label for row in rows])
    axes.set_xlim(0, 100)
    axes.set_xlabel("top-1, % of the test videos")


def _line(axes: Any, place: int, over: Interval, values: Sequence[float], color: str) -> None:
    seed_plot.draw(axes, place, over, values, upright=False, color=color, aside=_ASIDE)


def _label(axes: Any, names: Sequence[str]) -> None:
    shown = ["\n".join(map(figure_text, name.split("\n"))) for name in names]
    axes.set_yticks(range(len(names)), shown)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
