"""What an evaluation leaves behind: a JSON of scores, a CSV of predictions, a confusion picture."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.tables import cells
from vidjax.evaluation import metrics
from vidjax.names import lettering


def summarize(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Top-1, top-5, accuracy per class and number of videos, as JSON types.

    Args:
      scores: `[N, K]` probabilities.
      labels: int `[N]`.
      classes: K class names.
    """
    matrix = metrics.confusion(scores.argmax(axis=1), labels, len(classes))
    accuracies = metrics.per_class(matrix)
    return {
        "top1": metrics.top_k(scores, labels, 1),
        "top5": metrics.top_k(scores, labels, 5),
        "videos": len(labels),
        "per_class": {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(classes, accuracies, strict=True)
        },
    }


def write_report(
    folder: Path,
    name: str,
    *,
    videos: Sequence[str],
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    facts: Mapping[str, Any],
) -> list[Path]:
    """Writes `NAME.json`, `NAME-predictions.csv` and `NAME-confusion.png`.

    Args:
      folder: where to; made if absent.
      name: of the protocol.
      videos: N names.
      scores: `[N, K]` probabilities.
      labels: int `[N]`.
      classes: K class names.
      facts: what else belongs in the JSON: views, step, digest of the manifest.

    Returns:
      The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"protocol": name, **summarize(scores, labels, classes), **facts}
    files = [folder / f"{name}{end}" for end in (".json", "-predictions.csv", "-confusion.png")]
    _replace(files[0], json.dumps(summary, indent=2) + "\n")
    with _unfinished(files[1]).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(map(cells, _rows(videos, scores, labels, classes)))
    os.replace(_unfinished(files[1]), files[1])
    matrix = metrics.confusion(scores.argmax(axis=1), labels, len(classes))
    draw_confusion(files[2], matrix, classes, f"{name}: top-1 {summary['top1']:.1%}")
    return files


def _rows(
    videos: Sequence[str], scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> list[list[Any]]:
    top = min(5, len(classes))
    places = [name for k in range(1, top + 1) for name in (f"class{k}", f"score{k}")]
    rows: list[list[Any]] = [["video", "label", "predicted", "correct", *places]]
    for video, row, label in zip(videos, scores, labels, strict=True):
        order = np.argsort(-row, kind="stable")[:top]
        best = [value for k in order for value in (classes[k], f"{row[k]:.6f}")]
        rows.append([video, classes[label], classes[order[0]], int(order[0] == label), *best])
    return rows


def draw_confusion(file: Path, matrix: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Draws a confusion matrix `[K, K]` with each row as fractions of its class."""
    from matplotlib.figure import Figure

    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    labels = list(map(lettering, classes))
    side = 2.5 + 0.32 * len(classes) + 0.08 * max(0, max(map(len, labels)) - 16)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix / totals, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), labels, rotation=90)
    axes.set_yticks(range(len(classes)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(lettering(title))
    if len(classes) <= 40:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            shade = "white" if matrix[row, column] > totals[row, 0] / 2 else "black"
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=shade)
    figure.colorbar(image, label="fraction of the class", shrink=0.7)
    figure.savefig(_unfinished(file), dpi=110, format="png")
    os.replace(_unfinished(file), file)


def _unfinished(file: Path) -> Path:
    return file.with_name(file.name + ".tmp")


def _replace(file: Path, text: str) -> None:
    _unfinished(file).write_text(text, encoding="utf-8")
    os.replace(_unfinished(file), file)
