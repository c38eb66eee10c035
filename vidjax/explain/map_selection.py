"""Parses maps from a command line: `grad_cam`, or with settings `rise:masks=300:over=time`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidjax.explain import maps
from vidjax.explain.baseline_maps import BASELINES
from vidjax.settings import check
from vidjax.untrusted_names import nearest

# Without a choice, all maps are drawn with their default settings, and these in addition.
_MORE = ("saliency_tube:tau=0.5",)


@dataclass(frozen=True)
class ChosenMap:
    """A map with its settings.

    Attributes:
      text: the text that named it.
      name: name of the method, or of a baseline map.
      settings: the settings that the text changes.
    """

    text: str
    name: str
    settings: Mapping[str, Any]

    @property
    def is_baseline(self) -> bool:
        """Whether the map is computed from the clip alone."""
        return self.name in BASELINES

    @property
    def title(self) -> str:
        """A title for captions, such as `RISE, masks = 300`."""
        own = BASELINES[self.name] if self.is_baseline else maps.named(self.name)
        return ", ".join([own.title, *(f"{name} = {to}" for name, to in self.settings.items())])


def choose(texts: Sequence[str]) -> list[ChosenMap]:
    """Returns the named maps and the baseline maps. `all`, or an empty list, stands for all maps.

    Raises:
      ValueError: a map or a setting is unknown, or a value is not allowed.
    """
    every = list(texts) in ([], ["all"])
    named = [read_map(text) for text in dict.fromkeys(_every() if every else texts)]
    there = {own.name for own in named}
    return [*named, *(ChosenMap(name, name, {}) for name in BASELINES if name not in there)]


def _every() -> list[str]:
    names = list(maps.known())
    for text in _MORE:
        names.insert(names.index(text.partition(":")[0]) + 1, text)
    return names


def read_map(text: str) -> ChosenMap:
    """Parses one map with its settings.

    Raises:
      ValueError: the map or a setting is unknown, or a value is not allowed.
    """
    name, *rest = text.split(":")
    settings = dict(_setting(name, part) for part in rest)
    if name in BASELINES:
        if settings:
            raise ValueError(f"{text!r}: the map {name} has no settings; leave them out")
        return ChosenMap(text, name, {})
    known = maps.named(name).kinds
    for given in settings:
        if given not in known:
            raise ValueError(f"{name} has no setting {given!r}: {nearest(given, known)}")
    check(settings, known, f"{name} ")
    return ChosenMap(text, name, settings)


def _setting(name: str, part: str) -> tuple[str, Any]:
    setting, is_set, value = part.partition("=")
    if not is_set:
        raise ValueError(f"{name}:{part}: write settings as {name}:SETTING=VALUE")
    try:
        return setting, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return setting, value
