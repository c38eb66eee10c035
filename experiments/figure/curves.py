"""Accuracy on training clips and on evaluated videos over the training: RMS paper, figure 3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.training.meter import EPOCH
from vidjax.untrusted_names import figure_text

_TRAIN = "train"
# Points of a curve of a run without epochs, each a mean; single log lines are too noisy.
_POINTS = 40
_SEED = re.compile("seed[0-9]+")


class _Line(msgspec.Struct):
    """A line of metrics."""

    step: records.Count
    split: str
    top1: records.Share | None = None
    epoch: records.Count = 0


@dataclass(frozen=True)
class Curves:
    """The accuracies of a run.

    Attributes:
      row: name of the run's directory; for `seed3` that of the directory around it.
      by_split: steps and top-1 in percent, for `train` and for each evaluated split. A point of
        `train` is a whole epoch of augmented clips with all regularisers, while the network learns.
      epoch_steps: steps per epoch; None for runs from before epochs were logged, where points of
        `train` are means of log lines.
    """

    row: str
    by_split: dict[str, tuple[list[int], list[float]]]
    epoch_steps: float | None = None


@dataclass(frozen=True)
class Band:
    """A curve over the runs of a row, of which each has its own seed.

    Attributes:
      steps: the steps that all runs have, `[N]`.
      mean: mean over the runs in percent, `[N]`.
      low: the lowest run, `[N]`.
      high: the highest run, `[N]`.
    """

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read(run: Path) -> Curves:
    """Reads the accuracies in a run's `metrics.jsonl`.

    Raises:
      ValueError: the run has none, or its metrics are damaged.
      OSError: they cannot be read.
    """
    found: dict[str, tuple[list[int], list[float]]] = {}
    epoch_steps = None
    for each in records.read_lines(run / "metrics.jsonl", "start the run again", dict[str, Any]):
        line = records.converted(each, _Line)
        if line.top1 is not None:
            steps, scores = found.setdefault(line.split, ([], []))
            steps.append(line.step)
            scores.append(100 * line.top1)
        if line.split == EPOCH and line.epoch:
            epoch_steps = line.step / line.epoch
    if not found:
        raise ValueError(f"{run}/metrics.jsonl has no top1: the run was stopped before it logged")
    if EPOCH in found:
        found[_TRAIN] = found.pop(EPOCH)
    elif _TRAIN in found:
        found[_TRAIN] = thinned(*found[_TRAIN], _POINTS)
    name = run.absolute().parent.name if _SEED.fullmatch(run.name) else run.name
    return Curves(name, found, epoch_steps)


def thinned(
    steps: Sequence[int], scores: Sequence[float], most: int
) -> tuple[list[int], list[float]]:
    """Averages neighbouring points of a curve; returns at most `most`, each at its last step."""
    width = -(-len(steps) // most)
    parts = [scores[start : start + width] for start in range(0, len(scores), width)]
    ends = [min(start + width, len(steps)) - 1 for start in range(0, len(steps), width)]
    return [steps[end] for end in ends], [sum(part) / len(part) for part in parts]


def over_seeds(runs: Sequence[Curves]) -> dict[str, Band]:
    """Summarises the runs of a row: a band for each split that all of them have."""
    splits = [split for split in runs[0].by_split if all(split in run.by_split for run in runs)]
    bands = {}
    for split in splits:
        each = [dict(zip(*run.by_split[split], strict=True)) for run in runs]
        steps = sorted(set.intersection(*(set(curve) for curve in each)))
        scores = np.array([[curve[step] for step in steps] for curve in each])
        bands[split] = Band(np.array(steps), scores.mean(0), scores.min(0), scores.max(0))
    return {split: band for split, band in bands.items() if len(band.steps)}


def draw(runs: Sequence[Curves]) -> Any:
    """Draws one panel with one colour per row: training dashed, evaluations solid.

    Lines are means over the seeds of a row; bands reach from the lowest to the highest seed.
    """
    from matplotlib.figure import Figure

    rows: dict[str, list[Curves]] = {}
    for run in runs:
        rows.setdefault(run.row, []).append(run)
    in_epochs = all(run.epoch_steps for run in runs)
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, (row, own) in enumerate(rows.items()):
        unit = own[0].epoch_steps if in_epochs else None
        _draw_row(axes, row, over_seeds(own), color=f"C{number % 10}", unit=unit or 1)
    axes.set_xlabel("epoch" if in_epochs else "step")
    axes.set_ylabel("top-1, %")
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.3)
    seeds = max(map(len, rows.values()))
    bands = f"; bands: lowest to highest of {seeds} seeds" if seeds > 1 else ""
    title = f"last values in %; gap: training clips as trained minus evaluated videos{bands}"
    axes.legend(title=title, fontsize="small", title_fontsize="small")
    return figure


def _draw_row(axes: Any, row: str, bands: dict[str, Band], *, color: str, unit: float) -> None:
    for split, band in bands.items():
        line, mark = ("--", "") if split == _TRAIN else ("-", "o")
        gap = ""
        if split != _TRAIN and _TRAIN in bands:
            gap = f", gap {bands[_TRAIN].mean[-1] - band.mean[-1]:.1f}"
        label = figure_text(f"{row}, {split}: {band.mean[-1]:.1f}{gap}")
        places = band.steps / unit
        axes.plot(places, band.mean, f"{line}{mark}", color=color, markersize=3, label=label)
        if (band.high > band.low).any():
            axes.fill_between(places, band.low, band.high, color=color, alpha=0.15, linewidth=0)
