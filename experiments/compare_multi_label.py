"""Compares two evaluations of videos with several labels by mean average precision."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidjax.data import tables
from vidjax.evaluation.fusion import align
from vidjax.evaluation.paired_bootstrap import SAMPLES, Difference, paired_bootstrap
from vidjax.evaluation.score_files import ScoreTable, read_score_table
from vidjax.evaluation.true_labels import true_labels
from vidjax.storage.writing import make_folder, writing
from vidjax.terminal import say, table

# Number of classes that are printed; the CSV has all.
_SHOWN = 10
Row = tuple[str, int, float, float, float]


def read_pair(files: Sequence[Path]) -> tuple[ScoreTable, ScoreTable]:
    """Reads the scores of two files, in the same order of videos and classes.

    Raises:
      ScoresError: the videos, classes or labels differ.
    """
    first, second = align([read_score_table(file) for file in files], list(map(str, files)))
    return first, second


def compare_classes(first: ScoreTable, second: ScoreTable, output: Path) -> None:
    """Compares two tables of scores, prints the result and writes all classes to a CSV.

    Raises:
      ScoresError: a video has no label.
    """
    positive = true_labels(first)
    found = paired_bootstrap(first.scores, second.scores, positive)
    rows = _rows(found, positive, first.classes.tolist())
    shown = [
        (name, videos, f"{a:.1%}", f"{b:.1%}", f"{more:+.1%}") for name, videos, a, b, more in rows
    ]
    columns = ("class", "videos", "A", "B", "B - A")
    table("average precision, largest differences first", columns, shown[:_SHOWN], width=100)
    say(in_words(found))
    make_folder(output.parent)
    with writing(output) as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(map(tables.cells, rows))
    say(f"All {len(rows)} classes with videos: {output}")


def in_words(found: Difference) -> str:
    """Describes the difference in mean average precision, with its interval and p-value."""
    return (
        f"mAP {found.a:.1%} and {found.b:.1%}, a difference of {found.b - found.a:+.1%} "
        f"({found.low:+.1%} to {found.high:+.1%} in 95% of {SAMPLES} samples of the videos), "
        f"p = {found.p_value:.3g} (paired bootstrap)"
    )


def _rows(found: Difference, positive: np.ndarray, classes: Sequence[str]) -> list[Row]:
    counts = positive.sum(axis=0).tolist()
    rows = [
        (name, videos, a, b, b - a)
        for name, videos, (a, b) in zip(classes, counts, found.per_class.tolist(), strict=True)
        if videos
    ]
    return sorted(rows, key=lambda row: (-abs(row[-1]), row[0]))
