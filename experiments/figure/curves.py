"""Accuracy on training and test videos over the training: figure 3 of the RMS paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.untrusted_names import figure_text

_TRAIN = "train"
# Points of a curve, each a mean; accuracies of single batches are too noisy.
_POINTS = 40


class _Line(msgspec.Struct):
    """A line of metrics."""

    step: records.Count
    split: str
    top1: records.Share | None = None


@dataclass(frozen=True)
class Curves:
    """The accuracies of a run.

    Attributes:
      name: name of the run's directory.
      by_split: steps and top-1 in percent, for `train` and for each evaluated split.
    """

    name: str
    by_split: dict[str, tuple[list[int], list[float]]]


def read(run: Path) -> Curves:
    """Reads the accuracies in a run's `metrics.jsonl`.

    Raises:
      ValueError: the run has none, or its metrics are damaged.
      OSError: they cannot be read.
    """
    found: dict[str, tuple[list[int], list[float]]] = {}
    for each in records.read_lines(run / "metrics.jsonl", "start the run again", dict[str, Any]):
        line = records.converted(each, _Line)
        if line.top1 is not None:
            steps, scores = found.setdefault(line.split, ([], []))
            steps.append(line.step)
            scores.append(100 * line.top1)
    if not found:
        raise ValueError(f"{run}/metrics.jsonl has no top1: the run was stopped before it logged")
    return Curves(run.name, found)


def thinned(
    steps: Sequence[int], scores: Sequence[float], most: int
) -> tuple[list[int], list[float]]:
    """Averages neighbouring points of a curve; returns at most `most`, each at its last step."""
    width = -(-len(steps) // most)
    parts = [scores[start : start + width] for start in range(0, len(scores), width)]
    ends = [min(start + width, len(steps)) - 1 for start in range(0, len(steps), width)]
    return [steps[end] for end in ends], [sum(part) / len(part) for part in parts]


def draw(runs: Sequence[Curves]) -> Any:
    """Draws one panel: training dotted, evaluations solid, one colour per run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, run in enumerate(runs):
        color = f"C{number % 10}"
        for split, (steps, scores) in run.by_split.items():
            steps, scores = thinned(steps, scores, _POINTS)
            line, mark = (":", "") if split == _TRAIN else ("-", "o")
            label = figure_text(f"{run.name}, {split}: {scores[-1]:.1f}")
            axes.plot(steps, scores, f"{line}{mark}", color=color, markersize=4, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("top-1, %")
    axes.grid(alpha=0.3)
    axes.legend(title="last values in %; training accuracy is of augmented clips")
    return figure
