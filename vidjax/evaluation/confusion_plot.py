"""Plots a confusion matrix, readable and small for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

# The most classes with counts, and the most classes with names, in the plot.
_COUNTED = 40
_NAMED = 100
# The most cells along a side. With more classes, a cell shows the largest of several values.
_CELLS = 500
_LISTED = 40


@dataclass(frozen=True)
class Confusion:
    """Videos of one class that were classified as another.

    Attributes:
      label: the true class.
      predicted: the predicted class.
      videos: number of videos.
      fraction: fraction of the videos of `label`.
    """

    label: str
    predicted: str
    videos: int
    fraction: float


def worst_confusions(matrix: np.ndarray, classes: Sequence[str]) -> list[Confusion]:
    """Lists all confused pairs of classes, most videos first, then the largest fraction.

    Args:
      matrix: counts `[K, K]`; rows are labels.
      classes: K names.
    """
    totals = matrix.sum(axis=1)
    rows, columns = np.nonzero(matrix * ~np.eye(len(matrix), dtype=bool))
    counts = matrix[rows, columns]
    fractions = counts / totals[rows]
    order = np.lexsort((columns, rows, -fractions, -counts))
    return [
        Confusion(classes[rows[k]], classes[columns[k]], int(counts[k]), float(fractions[k]))
        for k in order
    ]


def draw_confusion(file: Path, matrix: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Plots a confusion matrix `[K, K]` as a PNG, each row as fractions of its class.

    Up to 40 classes have names and counts, up to 100 have names. More classes are drawn as an
    image, with a list of the worst confusions beside it.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    many = len(classes) > _NAMED
    labels = list(map(figure_text, classes))
    longest = max(map(len, labels))
    side = 8.0 if many else 2.5 + 0.32 * len(classes) + 0.08 * max(0, longest - 16)
    figure = Figure(figsize=(side + (6.5 if many else 0.6), side), layout="constrained")
    if many:
        axes, beside = figure.subplots(1, 2, width_ratios=(side, 5))
        _list_worst(beside, matrix, classes)
    else:
        axes = figure.subplots()
    fractions = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(
        _pooled(fractions),
        cmap="Blues",
        # A confusion is a faint dot among thousands, so small fractions get most of the shades.
        norm=PowerNorm(0.4 if many else 1.0, vmin=0, vmax=1),
        extent=(-0.5, len(classes) - 0.5, len(classes) - 0.5, -0.5),
        interpolation="nearest",
    )
    axes.set(xlabel="predicted", ylabel="label")
    axes.set_title(figure_text(title))
    if not many:
        axes.set_xticks(range(len(classes)), labels, rotation=90)
        axes.set_yticks(range(len(classes)), labels)
    if len(classes) <= _COUNTED:
        _write_counts(axes, matrix, fractions)
    figure.colorbar(image, ax=axes, label="fraction of the class", shrink=0.7, pad=0.02)
    with writing_bytes(file) as stream:
        figure.savefig(stream, dpi=110, format="png", bbox_inches="tight")


def _pooled(fractions: np.ndarray) -> np.ndarray:
    """Keeps the largest value of each block of classes, so that no confusion disappears."""
    size = -(-len(fractions) // _CELLS)
    starts = np.arange(0, len(fractions), size)
    rows = np.maximum.reduceat(fractions, starts, axis=0)
    return np.asarray(np.maximum.reduceat(rows, starts, axis=1))


def _write_counts(axes: Any, matrix: np.ndarray, fractions: np.ndarray) -> None:
    for row, column in zip(*np.nonzero(matrix), strict=True):
        shade = "white" if fractions[row, column] > 0.5 else "black"
        count = str(matrix[row, column])
        axes.text(column, row, count, ha="center", va="center", color=shade)


def _list_worst(axes: Any, matrix: np.ndarray, classes: Sequence[str]) -> None:
    worst = worst_confusions(matrix, classes)
    lines = [
        f"{each.videos:>4} {each.fraction:>5.0%}  {_short(each.label)} → {_short(each.predicted)}"
        for each in worst[:_LISTED]
    ]
    head = f"worst of {len(worst):,} confusions: videos, fraction of the class"
    text = "\n".join([head, "", *(figure_text(line, 80) for line in lines)])
    axes.set_axis_off()
    axes.text(0.08, 1, text, va="top", family="monospace", fontsize=8, linespacing=1.5)


def _short(name: str, longest: int = 26) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
