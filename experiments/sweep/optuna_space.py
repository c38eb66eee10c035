"""Parses the search space of Optuna: a range or a choice for each setting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .axes import split_values

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"((?:log:|int:)*)({_NUMBER}):({_NUMBER})")
# Digits of the numbers that are tried: as many as names and tables show.
_DIGITS = 4
_EXAMPLE = "such as optimizer.lr=log:0.001:0.3, model.options.dropout=0:0.5 or clip.frames=8,16"


@dataclass(frozen=True)
class Range:
    """A range of numbers, including both ends.

    Attributes:
      low: smallest number.
      high: largest number.
      log: whether numbers are drawn uniformly in the logarithm.
      whole: whether they are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """The smallest and the largest number, as text."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: float) -> str:
        """Formats a number of the range as the text of a setting."""
        return str(round(value)) if self.whole else f"{value:.{_DIGITS}g}"


@dataclass(frozen=True)
class Choice:
    """A choice between values, as text."""

    ends: tuple[str, ...]


Space = Mapping[str, Range | Choice]


def read_space(texts: Sequence[str]) -> Space:
    """Parses a search space.

    Args:
      texts: each is `PATH=RANGE`; the range is `LOW:HIGH`, with `log:`, `int:` or both before it,
        or values separated by commas.

    Raises:
      ValueError: a text has another form, or a setting is given twice.
    """
    space: dict[str, Range | Choice] = {}
    for text in texts:
        path, equals, what = text.partition("=")
        if not (path.strip() and equals and what.strip()):
            raise ValueError(f"--search={text}: must be a setting and a range, {_EXAMPLE}")
        if path in space:
            raise ValueError(f"--search={text}: {path} is given twice")
        space[path] = _read(text, what.strip())
    return space


def _read(text: str, what: str) -> Range | Choice:
    found = _RANGE.fullmatch(what)
    if not found:
        values = split_values(what)
        if len(values) < 2 or not all(values) or len(set(values)) < len(values):
            raise ValueError(
                f"--search={text}: must have a range or several different values, {_EXAMPLE}"
            )
        return Choice(tuple(values))
    words, low, high = found[1], float(found[2]), float(found[3])
    one = Range(low, high, "log:" in words, "int:" in words)
    if not (low < high < math.inf):
        raise ValueError(f"--search={text}: {low:g} is not below {high:g}")
    if one.log and low <= 0:
        raise ValueError(f"--search={text}: a log range must start above 0")
    if one.whole and not (low.is_integer() and high.is_integer()):
        raise ValueError(f"--search={text}: an int range must have whole numbers")
    return one
