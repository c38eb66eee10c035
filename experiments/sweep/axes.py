"""Parses what a sweep varies: settings one by one (--grid) or together (--list)."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vidjax.run.defaults import defaults

# The start of a setting, in a text with several settings.
_SETTING = re.compile(r"(?:^|\s+)([A-Za-z_]\w*(?:\.\w+)*)=")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Axis:
    """One axis of a sweep.

    Attributes:
      choices: the settings at each place of the axis, as texts by path; all have the same paths.
    """

    choices: tuple[Mapping[str, str], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the settings that are varied."""
        return tuple(self.choices[0])


def read_axes(grids: Sequence[str], lists: Sequence[str]) -> tuple[Axis, ...]:
    """Parses the axes of a sweep.

    Args:
      grids: settings that are varied one by one, such as `optimizer.lr=0.1,0.03`; a text may have
        several, separated by spaces.
      lists: settings that are varied together: all first values, then all second values. All lists
        form one axis.

    Raises:
      ValueError: a text has no setting or no value, a setting is given twice, or the lists have
        different lengths.
    """
    axes = [
        Axis(tuple({path: value} for value in values))
        for path, values in _settings(grids, "--grid")
    ]
    together = _settings(lists, "--list")
    if together:
        _refuse_uneven(together)
        paths = [path for path, _ in together]
        rows = zip(*(values for _, values in together), strict=True)
        axes.append(Axis(tuple(dict(zip(paths, row, strict=True)) for row in rows)))
    counts = Counter(path for axis in axes for path in axis.paths)
    for path, count in counts.items():
        if count > 1:
            raise ValueError(f"{path} is varied twice; give all of its values at once")
    return tuple(axes)


def combinations(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Returns every combination of the axes' choices; the last axis varies fastest.

    Examples:
      >>> combinations(read_axes(["optimizer.lr=0.1,0.03"], []))
      [{'optimizer.lr': '0.1'}, {'optimizer.lr': '0.03'}]
    """
    return [
        {path: text for choice in choices for path, text in choice.items()}
        for choices in itertools.product(*(axis.choices for axis in axes))
    ]


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Returns the last part of each path, or the whole path if the last part is ambiguous."""
    ends = Counter(end for group in defaults().to_dict().values() for end in _ends(group))
    ends += Counter(end for path in paths if (end := path.rpartition(".")[2]) not in ends)
    return {path: end if ends[end := path.rpartition(".")[2]] == 1 else path for path in paths}


def _ends(group: object) -> Sequence[str]:
    return list(group) if isinstance(group, Mapping) else []


def _settings(texts: Sequence[str], flag: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for text in texts:
        begins = list(_SETTING.finditer(text))
        if not begins or begins[0].start():
            raise ValueError(
                f"{flag}={text}: must be a setting with values, such as optimizer.lr=0.1,0.03"
            )
        ends = [*(match.start() for match in begins[1:]), len(text)]
        for match, end in zip(begins, ends, strict=True):
            values = split_values(text[match.end() : end])
            if not all(values):
                raise ValueError(f"{flag}={text}: a value of {match[1]} is empty")
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice and flag == "--grid":
                raise ValueError(f"{flag}={text}: {match[1]} has the value {twice[0]} twice")
            found.append((match[1], values))
    return found


def split_values(text: str) -> list[str]:
    """Splits values at commas, but not inside of brackets and quotes.

    Examples:
      >>> split_values("(1, 2),(3, 4)")
      ['(1, 2)', '(3, 4)']
    """
    values, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        if character == "," and not depth and not quote:
            values.append("")
        else:
            values[-1] += character
    return [value.strip() for value in values]


def _refuse_uneven(together: Sequence[tuple[str, Sequence[str]]]) -> None:
    (first, expected), *others = [(path, len(values)) for path, values in together]
    for path, count in others:
        if count != expected:
            raise ValueError(
                f"--list: {first} has {expected} values and {path} has {count}; settings that are "
                "varied together need equally many values"
            )
