"""Reports of evaluations: scores, predictions and confusions between classes."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from vidjax import records
from vidjax.data.multi_label_text import join_labels
from vidjax.data.tables import cells
from vidjax.evaluation import metrics
from vidjax.evaluation.average_precision import average_precision, mean_average_precision
from vidjax.evaluation.class_plot import class_scores, draw_class_scores
from vidjax.evaluation.confusion_plot import draw_confusion, worst_confusions
from vidjax.evaluation.score_files import ScoreTable, write_scores
from vidjax.evaluation.summary import as_text, summarize
from vidjax.storage.writing import make_folder, move, remove_unfinished, write_text, writing

__all__ = [
    "MultiLabelScores",
    "Prediction",
    "Scores",
    "describe",
    "read_scores",
    "summarize",
    "write_report",
]
_AGAIN = "evaluate again: vidjax evaluate"
_OF_ONE, _OF_SEVERAL = ("-confusion.png", "-confusions.csv"), ("-classes.png", "-classes.csv")
# The number of top classes in a row of predictions.
_BEST = 5
# End of the name of a file with all scores.
SCORES = "-scores.npz"


class Prediction(msgspec.Struct):
    """A row of a table of predictions.

    Attributes:
      video: name of the video.
      label: true class.
      predicted: most likely class.
      correct: 1 if they are the same, else 0.
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
    """Scores of a single-label evaluation.

    Attributes:
      protocol: name of the protocol.
      top1: share of correct videos.
      videos: number of videos.
      top5: share of videos with the label among the top five; None with few classes.
      mean_class: mean accuracy of the classes; None in older reports.
      loss: cross-entropy; None in older reports.
      clip_top1: share of all single views that are correct; None in older reports.
      clip_top5: share of all single views with the label among the top five; None in older reports.
    """

    protocol: records.Name
    top1: records.Share
    videos: records.Count
    top5: records.Share | None = None
    mean_class: records.Share | None = None
    loss: records.Amount | None = None
    clip_top1: records.Share | None = None
    clip_top5: records.Share | None = None


class MultiLabelScores(msgspec.Struct):
    """Scores of a multi-label evaluation.

    Attributes:
      protocol: name of the protocol.
      map: mean average precision.
      videos: number of videos.
      f1_micro: F1 over all answers at a probability of 0.5.
      f1_macro: mean F1 over classes at a probability of 0.5.
      loss: binary cross-entropy, averaged over classes.
    """

    protocol: records.Name
    map: records.Share
    videos: records.Count
    f1_micro: records.Share
    f1_macro: records.Share
    loss: records.Amount


def read_scores(file: Path) -> Scores:
    """Reads the scores of a single-label evaluation from the JSON of `write_report`.

    Raises:
      RecordError: the file is damaged, or its evaluation is multi-label.
      OSError: it cannot be read.
    """
    return records.read(file, Scores, _AGAIN)


def describe(file: Path) -> str:
    """Describes the protocol and scores of a report in a few words.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    kind: type[Scores] | type[MultiLabelScores] = Scores
    if "map" in records.read_mapping(file, _AGAIN):
        kind = MultiLabelScores
    found = records.read(file, kind, _AGAIN)
    return f"{found.protocol}: {as_text(msgspec.structs.asdict(found))}"


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
    """Writes `NAME.json`, `NAME-predictions.csv`, and a plot and a table of the classes.

    For single-label data these are `NAME-confusion.png` and `NAME-confusions.csv`, the confused
    pairs of classes, the worst first. For multi-label data they are `NAME-classes.png` and
    `NAME-classes.csv`, the average precision of each class, the lowest first. With `keep_scores`,
    all scores are written to `NAME-scores.npz`. These N x K numbers are too large to keep for every
    evaluation during training.

    Args:
      folder: where to write; created if it does not exist.
      name: name of the protocol.
      videos: N names.
      scores: `[N, K]` probabilities.
      labels: int `[N]`, or bool `[N, K]` for multi-label data.
      classes: K class names.
      facts: further facts for the JSON: views, step, digest of the manifest.
      say: prints where an earlier report of other videos or views was moved.
      keep_scores: whether to write `NAME-scores.npz`; see `score_files`.

    Returns:
      The written files.
    """
    make_folder(folder)
    remove_unfinished(folder)
    summary = {"protocol": name, **summarize(scores, labels, classes), **facts}
    several = labels.ndim > 1
    ends = (".json", "-predictions.csv", *(_OF_SEVERAL if several else _OF_ONE))
    files = [folder / f"{name}{end}" for end in ends]
    _set_aside(folder, name, (*ends, SCORES), facts, say)
    write_text(files[0], json.dumps(summary, indent=2) + "\n")
    rows = _rows_of_several if several else _rows
    _write_table(files[1], rows(videos, scores, labels, classes))
    write = _write_classes if several else _write_confusions
    write(files[2], files[3], scores, labels, classes, name)
    if keep_scores:
        files.append(folder / f"{name}{SCORES}")
        true = _true_classes(labels, classes)
        about = {**facts, "multi_label": several}
        split = str(facts.get("split", ""))
        write_scores(files[-1], ScoreTable.of(videos, scores, classes, true, split, about))
    return files


def _true_classes(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Returns the class of each video, or its classes joined in one text."""
    if labels.ndim == 1:
        return [classes[label] for label in labels]
    return [join_labels(np.asarray(classes)[row].tolist()) for row in labels.astype(bool)]


def _write_confusions(
    picture: Path,
    table: Path,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    name: str,
) -> None:
    matrix = metrics.confusion(scores.argmax(axis=1), labels, len(classes))
    title = f"{name}: top-1 {metrics.top_k(scores, labels, 1):.1%}"
    draw_confusion(picture, matrix, classes, title)
    worst = (dataclasses.astuple(each) for each in worst_confusions(matrix, classes))
    _write_table(table, [["label", "predicted", "videos", "fraction"], *worst])


def _write_classes(
    picture: Path,
    table: Path,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    name: str,
) -> None:
    precisions = average_precision(scores, labels)
    found = class_scores(labels, precisions, classes)
    draw_class_scores(picture, found, f"{name}: mAP {mean_average_precision(precisions):.1%}")
    rows = (dataclasses.astuple(each) for each in found)
    _write_table(table, [["class", "videos", "chance", "average_precision"], *rows])


def _set_aside(
    folder: Path,
    name: str,
    ends: Sequence[str],
    facts: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Renames an existing report of other videos or views, so that it is not lost."""
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
            move(folder / f"{name}{end}", folder / f"{stem}{end}")
    say(f"the report of other videos or views is kept as {folder / stem}{ends[0]}")


def _rows(
    videos: Sequence[str], scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> list[list[Any]]:
    rows: list[list[Any]] = [["video", "label", "predicted", "correct", *_best_titles(classes)]]
    for video, row, label in zip(videos, scores, labels, strict=True):
        first = int(np.argmax(row))
        correct = int(first == label)
        rows.append([video, classes[label], classes[first], correct, *_best(row, classes)])
    return rows


def _rows_of_several(
    videos: Sequence[str], scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> list[list[Any]]:
    def text(answers: np.ndarray) -> str:
        return join_labels(classes[place] for place in np.flatnonzero(answers).tolist())

    rows: list[list[Any]] = [["video", "labels", "predicted", *_best_titles(classes)]]
    for video, row, own in zip(videos, scores, labels, strict=True):
        rows.append([video, text(own), text(row >= 0.5), *_best(row, classes)])
    return rows


def _best_titles(classes: Sequence[str]) -> list[str]:
    places = range(1, min(_BEST, len(classes)) + 1)
    return [name for k in places for name in (f"class{k}", f"score{k}")]


def _best(row: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Returns the top classes of a video and their probabilities, best first."""
    order = np.argsort(-row, kind="stable")[:_BEST].tolist()
    return [value for k in order for value in (classes[k], f"{row[k]:.6f}")]


def _write_table(file: Path, rows: Iterable[Sequence[Any]]) -> None:
    with writing(file) as stream:
        csv.writer(stream).writerows(map(cells, rows))
