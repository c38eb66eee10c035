"""What an evaluation leaves behind: scores, predictions, and which classes are confused."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from vidjax import records
from vidjax.data.tables import cells
from vidjax.evaluation import metrics
from vidjax.evaluation.confusion_picture import draw_confusion, worst_confusions
from vidjax.evaluation.score_files import ScoreTable, write_scores
from vidjax.writing import make_folder, sweep, write_text, writing

# How the name of a file of all scores ends.
SCORES = "-scores.npz"


class Prediction(msgspec.Struct):
    """A row of a table of predictions.

    Attributes:
      video: its name.
      label: the true class.
      predicted: the likeliest class.
      correct: 1 where they are the same, else 0.
    """

    video: records.Name
    label: str
    predicted: str
    correct: Literal[0, 1]

    @property
    def is_right(self) -> bool:
        """Whether the prediction is correct."""
        return self.correct == 1


class Scores(msgspec.Struct):
    """What a report says: name of the protocol, shares of videos, and their number."""

    protocol: records.Name
    top1: records.Share
    top5: records.Share
    videos: records.Count


def read_scores(file: Path) -> Scores:
    """The scores that `write_report` wrote as JSON.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    return records.read(file, Scores, "evaluate again: python -m experiments.evaluate")


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
    say: Callable[[str], None] = lambda line: None,
    keep_scores: bool = False,
) -> list[Path]:
    """Writes `NAME.json`, `NAME-predictions.csv`, `NAME-confusion.png` and `NAME-confusions.csv`.

    The last lists the pairs of classes that were confused, the worst first. All scores go to
    `NAME-scores.npz` if they are to be kept: N x K numbers are too many for every evaluation of a
    training.

    Args:
      folder: where to; made if absent.
      name: of the protocol.
      videos: N names.
      scores: `[N, K]` probabilities.
      labels: int `[N]`.
      classes: K class names.
      facts: what else belongs in the JSON: views, step, digest of the manifest.
      say: told where an earlier report of other videos or views was moved to.
      keep_scores: whether to write `NAME-scores.npz` too; see `score_files`.

    Returns:
      The files written.
    """
    make_folder(folder)
    sweep(folder)
    summary = {"protocol": name, **summarize(scores, labels, classes), **facts}
    ends = (".json", "-predictions.csv", "-confusion.png", "-confusions.csv")
    files = [folder / f"{name}{end}" for end in ends]
    _set_aside(folder, name, (*ends, SCORES), facts, say)
    write_text(files[0], json.dumps(summary, indent=2) + "\n")
    _write_table(files[1], _rows(videos, scores, labels, classes))
    matrix = metrics.confusion(scores.argmax(axis=1), labels, len(classes))
    draw_confusion(files[2], matrix, classes, f"{name}: top-1 {summary['top1']:.1%}")
    worst = (dataclasses.astuple(each) for each in worst_confusions(matrix, classes))
    _write_table(files[3], [["label", "predicted", "videos", "fraction"], *worst])
    if keep_scores:
        files.append(folder / f"{name}{SCORES}")
        true = [classes[label] for label in labels]
        split = str(facts.get("split", ""))
        write_scores(files[-1], ScoreTable.of(videos, scores, classes, true, split, facts))
    return files


def _set_aside(
    folder: Path,
    name: str,
    ends: Sequence[str],
    facts: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Renames a report of this name that is of other videos or views, so that it is not lost."""
    try:
        there = records.read_mapping(folder / f"{name}{ends[0]}", "")
        same = all(there.get(key) == facts.get(key) for key in ("manifest", "views"))
    except (OSError, ValueError):
        return
    if same:
        return
    stems = (f"{name}-earlier{'' if k == 1 else f'-{k}'}" for k in itertools.count(1))
    stem = next(stem for stem in stems if not (folder / f"{stem}{ends[0]}").exists())
    for end in ends:
        with contextlib.suppress(FileNotFoundError):
            os.replace(folder / f"{name}{end}", folder / f"{stem}{end}")
    say(f"the report of other videos or views is kept as {folder / stem}{ends[0]}")


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


def _write_table(file: Path, rows: Iterable[Sequence[Any]]) -> None:
    with writing(file) as stream:
        csv.writer(stream).writerows(map(cells, rows))
