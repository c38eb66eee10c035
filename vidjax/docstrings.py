"""Reads the meanings and defaults of settings from docstrings and signatures.

A docstring describes each argument or field, and the signature has its default. Help texts and
tables are generated from these instead of repeating them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from vidjax.settings import Kind, Setting

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^  (\*{0,2}\w[\w, ]*): ((?:.*\n)(?:   .*\n|\n)*)", re.MULTILINE)
# Descriptions that refer to another place.
_ELSEWHERE = re.compile(r"likewise\b|as in `")


def meanings(thing: Any) -> dict[str, str]:
    """Reads what a docstring says about arguments (`Args:`) or attributes (`Attributes:`).

    Args:
      thing: function or class; for a class, the docstrings of its bases count too.

    Returns:
      One line of text by name.
    """
    found: dict[str, str] = {}
    for part in thing.__mro__ if inspect.isclass(thing) else (thing,):
        # Not `inspect.getdoc`, which repeats a base's docstring for a class without its own.
        text = f"{inspect.cleandoc(part.__doc__ or '')}\n"
        for section in _SECTION.findall(text):
            for names, words in _ENTRY.findall(section):
                line = " ".join(words.split()).rstrip(".")
                found = {**dict.fromkeys(re.findall(r"\w+", names), line), **found}
    return found


def defaults(thing: Callable[..., Any]) -> dict[str, Any]:
    """Reads the defaults of a function's arguments or a class's fields, by name.

    Fields that flax adds to its modules are left out.
    """
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(thing).parameters.items()
        if parameter.default is not parameter.empty
    }
    return {name: value for name, value in found.items() if name not in ("name", "parent")}


def settings_of(kinds: Mapping[str, Kind], *places: Any) -> dict[str, Setting]:
    """Makes settings from allowed values, defaults and meanings.

    Args:
      kinds: allowed values, by name.
      *places: functions and classes that define the settings; the first that has a default or a
        meaning counts. A description that refers elsewhere (`likewise`, `as in ...`) does not
        count.
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
