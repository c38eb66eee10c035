"""Converts the true labels of a score table to arrays."""

from __future__ import annotations

import numpy as np

from vidjax.data.multi_label_text import split_labels
from vidjax.evaluation.score_files import ScoresError, ScoreTable


def true_labels(table: ScoreTable) -> np.ndarray:
    """Returns class indices int `[N]`, or bool `[N, C]` for multi-label scores.

    Raises:
      ScoresError: a label is missing or is not one of the classes.
    """
    places = {name: place for place, name in enumerate(table.classes.tolist())}
    found = []
    for name, text in zip(table.names.tolist(), table.labels.tolist(), strict=True):
        labels = split_labels(text) if table.multi_label else (text,)
        strange = [label for label in labels if label not in places]
        if not text:
            raise ScoresError(f"{name!r} has no label; give all videos labels, or none")
        if strange:
            raise ScoresError(
                f"{name!r} has the label {strange[0]!r}, which is not a class of the scores"
            )
        found.append([places[label] for label in labels])
    if not table.multi_label:
        return np.array(found).reshape(-1)
    answers = np.zeros((len(found), len(places)), bool)
    for row, own in zip(answers, found, strict=True):
        row[own] = True
    return answers
