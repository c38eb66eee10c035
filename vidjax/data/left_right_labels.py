"""Labels that tell left from right: a clip of theirs and its mirror image are of two classes."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Runs of letters, cut before the capitals of words written together.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def sided(classes: Sequence[str]) -> tuple[str, ...]:
    """The class names in which `left` or `right` stands as a word, as in `turn_left`."""
    return tuple(name for name in classes if _words(name) & {"left", "right"})


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def refuse_mirrors(classes: Sequence[str], setting: str, fix: str) -> None:
    """Refuses a setting that mirrors clips where labels tell left from right.

    Args:
      classes: class names.
      setting: the setting and its value, such as `augment.flip = 0.5`.
      fix: what to set instead.

    Raises:
      ValueError: names two of the labels and the fix.
    """
    if found := sided(classes):
        raise ValueError(
            f"{setting} mirrors clips, but {len(found)} labels tell left from right, such as "
            f"{' and '.join(map(repr, found[:2]))}; set {fix}, or augment.flip_sided=True if "
            "mirror images keep these labels"
        )
