"""Finds labels that distinguish left from right, whose clips must not be mirrored."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Runs of letters, cut before the capitals of words written together.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def left_right_labels(classes: Sequence[str]) -> tuple[str, ...]:
    """Returns the class names that contain the word `left` or `right`, such as `turn_left`.

    >>> left_right_labels(["turn_left", "TurnRight", "upright"])
    ('turn_left', 'TurnRight')
    """
    return tuple(name for name in classes if _words(name) & {"left", "right"})


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def refuse_mirrors(classes: Sequence[str], setting: str, fix: str) -> None:
    """Refuses a setting that mirrors clips if labels distinguish left from right.

    Args:
      classes: class names.
      setting: the setting and its value, such as `augment.flip = 0.5`.
      fix: the setting to use instead.

    Raises:
      ValueError: names two of the labels and the fix.
    """
    if found := left_right_labels(classes):
        raise ValueError(
            f"{setting} mirrors clips, but {len(found)} labels distinguish left from right, such "
            f"as {' and '.join(map(repr, found[:2]))}; set {fix}, or augment.flip_sided=True if "
            "mirrored clips keep these labels"
        )
