"""What settings mean and what they are by default, read from where they are defined.

A docstring says what each argument or field means, and the signature has its default: neither is
written a second time for those who ask.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from vidjax.settings import Kind, Setting

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^  (\*{0,2}\w[\w, ]*): ((?:.*\n)(?:   .*\n|\n)*)", re.MULTILINE)
# Said of a setting whose meaning stands elsewhere.
_ELSEWHERE = re.compile(r"likewise\b|as in `")


def meanings(thing: Any) -> dict[str, str]:
    """What a docstring says of arguments (`Args:`) or attributes (`Attributes:`), by name.

    Args:
      thing: function or class; of a class, its bases' docstrings too.

    Returns:
      A line each.
    """
    found: dict[str, str] = {}
    for part in thing.__mro__ if inspect.isclass(thing) else (thing,):
        # Not `inspect.getdoc`: a class without a docstring has none of its base's twice.
        text = f"{inspect.cleandoc(part.__doc__ or '')}\n"
        for section in _SECTION.findall(text):
            for names, words in _ENTRY.findall(section):
                line = " ".join(words.split()).rstrip(".")
                found = {**dict.fromkeys(re.findall(r"\w+", names), line), **found}
    return found


def defaults(thing: Callable[..., Any]) -> dict[str, Any]:
    """Defaults of a function's arguments or a class's fields, by name; those that have one.

    A flax module's fields that flax adds are left out.
    """
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(thing).parameters.items()
        if parameter.default is not parameter.empty
    }
    return {name: value for name, value in found.items() if name not in ("name", "parent")}


def settings_of(kinds: Mapping[str, Kind], *places: Any) -> dict[str, Setting]:
    """Settings with what they may be, their defaults and their meanings.

    Args:
      kinds: what they may be, by name.
      *places: functions and classes that define them; the first that knows a default or a meaning
        is believed. One that refers elsewhere (`likewise`, `as in ...`) knows no meaning.
    """
    known: dict[str, Any] = {}
    said: dict[str, str] = {}
    for place in places:
        known = {**defaults(place), **known}
        own = {name: text for name, text in meanings(place).items() if not _ELSEWHERE.match(text)}
        said = {**own, **said}
    return {
        name: Setting(known.get(name, ...), kind.text, said.get(name, ""))
        for name, kind in kinds.items()
    }
