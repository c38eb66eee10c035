"""Normalizes labels written by people, and finds differences that are probably mistakes."""

from __future__ import annotations

import collections
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

# A line break with the spaces around it.
_BREAK = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")


def normal(label: str) -> str:
    r"""Normalizes a label: one line, no surrounding spaces, Unicode's composed form (NFC).

    macOS separates accents from their letters (NFD); other systems do not.

    >>> normal(" stand\n up ")
    'stand up'
    """
    return unicodedata.normalize("NFC", _BREAK.sub(" ", label.strip()))


def broken(labels: Iterable[str]) -> list[str]:
    """Returns the labels that contain line breaks, sorted."""
    return sorted({label for label in labels if _BREAK.search(label.strip())})


def respelled(labels: Iterable[str]) -> list[str]:
    """Returns the normalized labels that are written in several ways, sorted.

    Args:
      labels: the labels as written.
    """
    spellings = _grouped(set(labels), normal)
    return sorted(label for label, forms in spellings.items() if len(forms) > 1)


def equal_numbers(labels: Iterable[str]) -> Sequence[str]:
    """Returns the first labels that are the same number, such as `1` and `1.0`, or nothing."""
    values = _grouped(labels, _value)
    return next((found for value, found in values.items() if value and len(found) > 1), ())


def near_misses(labels: Iterable[str]) -> list[Sequence[str]]:
    """Returns groups of labels that differ only in case or spaces, such as `Walk` and `walk`."""
    words = _grouped(labels, lambda label: " ".join(label.casefold().split()))
    return [found for found in words.values() if len(found) > 1]


def _value(label: str) -> str:
    """Returns a label's number as text; empty if it is not a number."""
    try:
        number = float(label)
    except ValueError:
        return ""
    return repr(number) if math.isfinite(number) else ""


def _grouped(labels: Iterable[str], key: Callable[[str], str]) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for label in sorted(labels):
        groups[key(label)].append(label)
    return groups
