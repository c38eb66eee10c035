"""Labels as people write them: one form of each word, and differences that are hardly meant."""

from __future__ import annotations

import collections
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

# A line break with the spaces around it.
_BREAK = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")


def normal(label: str) -> str:
    """A label as it is used: on one line, no spaces around it, in Unicode's composed form (NFC).

    macOS writes accents apart from their letters (NFD), others do not.
    """
    return unicodedata.normalize("NFC", _BREAK.sub(" ", label.strip()))


def broken(labels: Iterable[str]) -> list[str]:
    """The labels that were written on several lines, sorted."""
    return sorted({label for label in labels if _BREAK.search(label.strip())})


def respelled(labels: Iterable[str]) -> list[str]:
    """The labels that were written in several ways that `normal` makes one, sorted.

    Args:
      labels: as they were written.
    """
    spellings = _grouped(set(labels), normal)
    return sorted(label for label, forms in spellings.items() if len(forms) > 1)


def equal_numbers(labels: Iterable[str]) -> Sequence[str]:
    """The first labels that are one number, such as `1` and `1.0`; empty if there are none."""
    values = _grouped(labels, _value)
    return next((found for value, found in values.items() if value and len(found) > 1), ())


def near_misses(labels: Iterable[str]) -> list[Sequence[str]]:
    """Labels that differ in case or in spaces alone, such as `Walk` and `walk`."""
    words = _grouped(labels, lambda label: " ".join(label.casefold().split()))
    return [found for found in words.values() if len(found) > 1]


def _value(label: str) -> str:
    """The number that a label is, as text; empty if it is none."""
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
