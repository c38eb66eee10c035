"""Writes several labels of a video as one text: `carry;walk`, or `(none)` for no label."""

from __future__ import annotations

from collections.abc import Iterable

from vidjax.data.labels import normal

BETWEEN, NONE = ";", "(none)"


def join_labels(labels: Iterable[str]) -> str:
    """Joins labels into one text, sorted; `(none)` if there are no labels.

    >>> joined(["walk", "carry"])
    'carry;walk'
    """
    return BETWEEN.join(sorted(set(labels))) or NONE


def split_labels(text: str) -> tuple[str, ...]:
    """Splits a text made by `join_labels` into labels; an empty text has none."""
    return () if text in ("", NONE) else tuple(text.split(BETWEEN))


def labels_as_written(cell: str) -> tuple[str, ...]:
    """Splits a table cell into labels, each as written."""
    return () if cell.strip() == NONE else tuple(part.strip() for part in cell.split(BETWEEN))


def flaw(cell: str) -> str:
    """Returns what is ambiguous in a cell, as the end of an error; empty if nothing is."""
    labels = list(map(normal, labels_as_written(cell)))
    if "" in labels:
        return f"has an empty label; write {NONE} for a video without labels"
    if NONE in labels:
        return f"has {NONE} beside other labels; remove one or the other"
    if any("," in label for label in labels):
        return f"has a comma; separate labels by {BETWEEN!r}"
    if len(set(labels)) < len(labels):
        return f"has {next(each for each in labels if labels.count(each) > 1)!r} twice; remove one"
    return ""


def class_flaw(name: str) -> str:
    """Returns why a multi-label data set cannot have a class name; empty if it can."""
    if name == NONE:
        return "is reserved for a video without labels"
    return f"has {BETWEEN!r}, which separates labels" if BETWEEN in name else ""
