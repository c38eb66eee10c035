"""What a sweep varies: settings by themselves, or several together, as the command line says it."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vidjax.run.defaults import defaults

# Where a setting begins, in a text of several.
_SETTING = re.compile(r"(?:^|\s+)([A-Za-z_]\w*(?:\.\w+)*)=")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Axis:
    """A direction of a sweep.

    Attributes:
      choices: for each place along it, texts by paths of settings, the same paths in all.
    """

    choices: tuple[Mapping[str, str], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the settings that are varied."""
        return tuple(self.choices[0])


def read_axes(grids: Sequence[str], lists: Sequence[str]) -> tuple[Axis, ...]:
    """The axes that the command line gives.

    Args:
      grids: settings that are varied each by itself, such as `optimizer.lr=0.1,0.03`; a text may
        have several, with spaces between them.
      lists: settings that are varied together: the first values, then the second ones. All of the
        lists are one axis.

    Raises:
      ValueError: a text has no setting or no value, a setting is given twice, or lists differ in
        length.
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
            raise ValueError(f"{path} is varied twice; give all its values at once")
    return tuple(axes)


def combinations(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Every choice of one axis with every choice of the others; the last axis varies fastest."""
    return [
        {path: text for choice in choices for path, text in choice.items()}
        for choices in itertools.product(*(axis.choices for axis in axes))
    ]


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The last part of each path; the whole of it where that may mean another setting, too."""
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
                f"{flag}={text}: a setting with values is expected, such as optimizer.lr=0.1,0.03"
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
    """Values between commas; those within brackets and quotes belong to a value."""
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
                f"--list: {first} has {expected} values and {path} has {count}; values that are "
                "varied together must be as many"
            )
