"""Tables of allowed values for settings, and their check.

A table maps names of settings to kinds of values. A value of another kind is refused in one line
that names the setting, the value and what is allowed:

    TABLE = {"affection": number(0, 1), "bounds": one_of("symmetric", "unit")}
    check({"affection": 2}, TABLE, "class_reg ")
    # ValueError: class_reg affection = 2: must be a number in [0, 1]
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 200


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
      text: description, as the end of an error message.
      accepts: tells whether a value is of this kind.
    """

    text: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class Setting:
    """A setting as the user sees it.

    Attributes:
      default: default value; `...` if that depends on other settings, as `meaning` describes, or if
        there is none.
      allowed: allowed values, as text.
      meaning: what the setting does, in a sentence.
      settings: nested settings by name, if the value may be a mapping.
    """

    default: Any
    allowed: str
    meaning: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


def check(values: Mapping[str, Any], table: Mapping[str, Kind], where: str = "") -> None:
    """Refuses the first value that is not of its kind.

    Args:
      values: values by name; names that the table lacks are ignored.
      table: kinds by name.
      where: prefix of a name in the error, such as `class_reg ` or `train.`.

    Raises:
      ValueError: names the setting, its value and what is allowed.

    Examples:
      >>> from vidjax.settings import check, number
      >>> check({"affection": 2}, {"affection": number(0, 1)}, "class_reg ")
      Traceback (most recent call last):
      ValueError: class_reg affection = 2: must be a number in [0, 1]
    """
    for name, kind in table.items():
        if name in values and not kind.accepts(values[name]):
            raise ValueError(f"{where}{name} = {shown(values[name])}: must be {kind.text}")


def check_used(
    given: Mapping[str, Any],
    values: Mapping[str, Any],
    needs: Mapping[str, Mapping[str, Kind]],
    where: str = "",
) -> None:
    """Refuses the first setting that has no effect because of another one.

    Args:
      given: the settings that the user has set.
      values: all settings, including defaults.
      needs: by the name of a setting, what others must be for it to have an effect.
      where: as in `check`.

    Raises:
      ValueError: names both settings and the fix.
    """
    for name, others in needs.items():
        for other, kind in others.items():
            if name in given and not kind.accepts(values[other]):
                raise ValueError(
                    f"{where}{name} = {shown(given[name])} has no effect, because {other} = "
                    f"{shown(values[other])}: leave it out, or set {other} to {kind.text}"
                )


def shown(value: Any) -> str:
    """Formats a value for an error message, in one line of bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def number(
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> Kind:
    """Accepts finite real numbers within inclusive bounds; `above` and `below` are exclusive."""
    inside = _within(least, most, above, below)
    return Kind("a number" + _range(least, most, above, below), lambda x: _is_real(x) and inside(x))


def whole(least: int | None = None, most: int | None = None) -> Kind:
    """Accepts whole numbers within inclusive bounds."""
    inside = _within(least, most, None, None)
    return Kind(
        "a whole number" + _range(least, most, None, None), lambda x: _is_whole(x) and inside(x)
    )


def boolean() -> Kind:
    """Accepts True and False."""
    return Kind("True or False", lambda x: isinstance(x, bool))


def one_of(*known: Any) -> Kind:
    """Accepts the given values, of the same type."""
    # `in` alone would accept 1 for True, and fail on arrays.
    same = lambda x, each: type(x) is type(each) and x == each  # noqa: E731
    text = ", ".join(map(str, known))
    text = text if len(known) == 1 else f"one of {text}"
    return Kind(text, lambda x: any(same(x, each) for each in known))


def word() -> Kind:
    """Accepts non-empty texts."""
    return Kind("a text", lambda x: isinstance(x, str) and bool(x))


def several(kind: Kind, count: int | None = None, *, text: str | None = None) -> Kind:
    """Accepts tuples and lists of one kind: of `count` values, or of at least one.

    Args:
      kind: kind of each value.
      count: number of values; None means any number above 0.
      text: description in errors.
    """

    def accepts(value: Any) -> bool:
        if not isinstance(value, (tuple, list)) or len(value) != (count or max(1, len(value))):
            return False
        return all(map(kind.accepts, value))

    many = f"{count} values" if count else "a tuple"
    return Kind(text or f"{many}, each {kind.text}", accepts)


def rising(kind: Kind, *, text: str | None = None) -> Kind:
    """Accepts two values of one kind, the first not above the second."""
    pair = several(kind, 2)
    return Kind(
        text or f"two values in rising order, each {kind.text}",
        lambda x: pair.accepts(x) and x[0] <= x[1],
    )


def either(*kinds: Kind) -> Kind:
    """Accepts values of any of several kinds."""
    return Kind(
        " or ".join(kind.text for kind in kinds), lambda x: any(kind.accepts(x) for kind in kinds)
    )


def optional(kind: Kind) -> Kind:
    """Accepts values of a kind, and None."""
    return Kind(f"{kind.text}, or None", lambda x: x is None or kind.accepts(x))


def _is_real(value: Any) -> bool:
    plain = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _within(
    least: float | None, most: float | None, above: float | None, below: float | None
) -> Callable[[Any], bool]:
    def inside(value: Any) -> bool:
        return (
            (least is None or value >= least)
            and (most is None or value <= most)
            and (above is None or value > above)
            and (below is None or value < below)
        )

    return inside


def _range(
    least: float | None, most: float | None, above: float | None, below: float | None
) -> str:
    """Describes bounds: ` in [0, 1)`, ` of at least 1`, ` above 0`."""
    lower, upper = (least if above is None else above), (most if below is None else below)
    if lower is not None and upper is not None:
        return f" in {'[' if above is None else '('}{lower}, {upper}{']' if below is None else ')'}"
    if lower is not None:
        return f" of at least {lower}" if above is None else f" above {lower}"
    if upper is not None:
        return f" of at most {upper}" if below is None else f" below {upper}"
    return ""
