"""Plots the average precision of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

# The plot shows at most this many classes, the lowest ones; the table has all.
_SHOWN = 60


@dataclass(frozen=True)
class ClassScore:
    """The average precision of one class; the columns of `NAME-classes.csv`.

    Attributes:
      name: name of the class.
      videos: number of videos that have it.
      chance: average precision of random scores, which is the class's share of the videos.
      average_precision: average precision; None if no video has the class.
    """

    name: str
    videos: int
    chance: float
    average_precision: float | None


def class_scores(
    positive: np.ndarray, precisions: np.ndarray, classes: Sequence[str]
) -> list[ClassScore]:
    """Lists the classes, lowest average precision first; classes without videos come last.

    Args:
      positive: bool `[N, K]`, which videos have which class.
      precisions: `[K]`, NaN for a class without videos.
      classes: K names.
    """
    counts = positive.sum(axis=0)
    return [
        ClassScore(
            classes[place],
            int(counts[place]),
            float(counts[place] / len(positive)),
            None if np.isnan(precisions[place]) else float(precisions[place]),
        )
        # NaN is sorted behind all numbers.
        for place in np.argsort(precisions, kind="stable")
    ]


def draw_class_scores(file: Path, scores: Sequence[ClassScore], title: str) -> None:
    """Plots a bar for each class as a PNG, with a tick at chance level."""
    from matplotlib.figure import Figure

    known = [score for score in scores if score.average_precision is not None]
    shown = known[:_SHOWN]
    figure = Figure(figsize=(8, 1.2 + 0.22 * len(shown)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(shown))
    axes.barh(places, [100 * (score.average_precision or 0) for score in shown], color="C0")
    chance = [100 * score.chance for score in shown]
    axes.plot(chance, places, "|", color="black", label="chance")
    axes.set_yticks(places, [figure_text(f"{score.name} ({score.videos})") for score in shown])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("average precision (%)")
    some = f"\nthe lowest {len(shown)} of {len(known)} classes" if len(known) > _SHOWN else ""
    axes.set_title(figure_text(title) + some)
    axes.legend(loc="lower right")
    with writing_bytes(file) as stream:
        figure.savefig(stream, dpi=110, format="png", bbox_inches="tight")
