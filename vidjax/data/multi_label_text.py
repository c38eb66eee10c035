"""Several labels of one video as one text: `carry;walk`, or `(none)` where it shows no class."""

from __future__ import annotations

from collections.abc import Iterable

from vidjax.data.labels import normal

BETWEEN, NONE = ";", "(none)"


def joined(labels: Iterable[str]) -> str:
    """The one text of a set of labels, sorted; `(none)` of an empty set."""
    return BETWEEN.join(sorted(set(labels))) or NONE


def apart(text: str) -> tuple[str, ...]:
    """The labels of a text that `joined` made; none of an empty text."""
    return () if text in ("", NONE) else tuple(text.split(BETWEEN))


def written(cell: str) -> tuple[str, ...]:
    """The labels of a cell, each as somebody wrote it."""
    return () if cell.strip() == NONE else tuple(part.strip() for part in cell.split(BETWEEN))


def flaw(cell: str) -> str:
    """What could be misread in a cell, as the end of an error; empty where nothing."""
    labels = list(map(normal, written(cell)))
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
    """What is wrong with the name of a class that stands beside others; empty where nothing."""
    if name == NONE:
        return "stands for a video without labels"
    return f"has {BETWEEN!r}, which separates labels" if BETWEEN in name else ""
