"""What a search by Optuna may try: a range or a choice for each setting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .axes import split_values

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"((?:log:|int:)*)({_NUMBER}):({_NUMBER})")
# Digits of a number that is tried: as many as its name and the tables show.
_DIGITS = 4
_EXAMPLE = "such as optimizer.lr=log:0.001:0.3, model.options.dropout=0:0.5 or clip.frames=8,16"


@dataclass(frozen=True)
class Range:
    """Numbers between two, both of which may be tried.

    Attributes:
      low: the least.
      high: the largest.
      log: whether equal factors are equally likely, instead of equal distances.
      whole: whether they are whole.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """The least and the largest, as text."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: float) -> str:
        """A number of the range as a setting has it."""
        return str(round(value)) if self.whole else f"{value:.{_DIGITS}g}"


@dataclass(frozen=True)
class Choice:
    """One of some values, as text."""

    ends: tuple[str, ...]


Space = Mapping[str, Range | Choice]


def read_space(texts: Sequence[str]) -> Space:
    """The space that the command line gives.

    Args:
      texts: `PATH=WHAT`; WHAT is `LOW:HIGH`, with `log:`, `int:` or both before it, or values
        with commas between them.

    Raises:
      ValueError: a text is another one, or a setting is given twice.
    """
    space: dict[str, Range | Choice] = {}
    for text in texts:
        path, equals, what = text.partition("=")
        if not (path.strip() and equals and what.strip()):
            raise ValueError(f"--search={text}: a setting and a range are expected, {_EXAMPLE}")
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
                f"--search={text}: a range or different values are expected, {_EXAMPLE}"
            )
        return Choice(tuple(values))
    words, low, high = found[1], float(found[2]), float(found[3])
    one = Range(low, high, "log:" in words, "int:" in words)
    if not (low < high < math.inf):
        raise ValueError(f"--search={text}: {low:g} is not below {high:g}")
    if one.log and low <= 0:
        raise ValueError(f"--search={text}: a range of log begins above 0")
    if one.whole and not (low.is_integer() and high.is_integer()):
        raise ValueError(f"--search={text}: a range of int is between whole numbers")
    return one
