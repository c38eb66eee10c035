"""The true labels of a table of scores as arrays."""

from __future__ import annotations

import numpy as np

from vidjax.data.multi_label_text import apart
from vidjax.evaluation.score_files import ScoresError, ScoreTable


def true_labels(table: ScoreTable) -> np.ndarray:
    """Places among the classes int `[N]`, or bool `[N, C]` where a video may have several.

    Raises:
      ScoresError: a label is not known, or no class.
    """
    places = {name: place for place, name in enumerate(table.classes.tolist())}
    found = []
    for name, text in zip(table.names.tolist(), table.labels.tolist(), strict=True):
        labels = apart(text) if table.multi_label else (text,)
        strange = [label for label in labels if label not in places]
        if strange or not text:
            what = f"is {strange[0]!r}, which is no class of the scores" if text else "has no label"
            raise ScoresError(f"{name!r} {what}; give all videos labels, or none")
        found.append([places[label] for label in labels])
    if not table.multi_label:
        return np.array(found).reshape(-1)
    answers = np.zeros((len(found), len(places)), bool)
    for row, own in zip(answers, found, strict=True):
        row[own] = True
    return answers
