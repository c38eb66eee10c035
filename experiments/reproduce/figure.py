"""Draws a table: top-1 and generalisation gap of each row, with intervals and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from ..runs import seed_plot
from .statistics import Summary

PANELS = (
    ("top1", "top-1, % of the test videos"),
    ("gap", "gap: training minus test videos, points"),
)


def draw(
    file: Path, summaries: Mapping[str, Sequence[Summary]], reference: str, title: str
) -> None:
    """Draws two panels for each data set.

    Args:
      file: PNG file to write.
      summaries: rows of each data set.
      reference: name of the row that the dashed line shows.
      title: title of the figure.
    """
    from matplotlib.figure import Figure

    rows = max(map(len, summaries.values()))
    size = (10, 1.2 + len(summaries) * (1 + 0.32 * rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(summaries), len(PANELS), squeeze=False, sharey="row")
    for line, (dataset, each) in zip(grid, summaries.items(), strict=True):
        for axes, (quantity, label) in zip(line, PANELS, strict=True):
            _panel(axes, each, quantity, reference)
            axes.set_xlabel(label)
            axes.set_title(figure_text(dataset), loc="left")
    figure.suptitle(figure_text(f"{title}: mean over seeds, 95 % interval; dots are seeds", 200))
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _panel(axes: Any, summaries: Sequence[Summary], quantity: str, reference: str) -> None:
    for place, summary in enumerate(summaries):
        values = [getattr(result, quantity) for result in summary.finished]
        over = summary.over_seeds(quantity)
        seed_plot.draw(axes, place, over, values, upright=False, color="C0")
        if summary.row.name == reference and values:
            axes.axvline(100 * over.mean, color="0.6", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(summaries)), [figure_text(s.row.label) for s in summaries])
    axes.set_ylim(len(summaries) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
