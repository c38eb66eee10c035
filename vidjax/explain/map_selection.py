"""Maps as a command line names them: `grad_cam`, or `rise:masks=300:over=time` with settings."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidjax.explain import maps
from vidjax.explain.baseline_maps import BASELINES
from vidjax.settings import check
from vidjax.untrusted_names import nearest

# What is drawn where nothing is chosen: all maps as they are by default, and these.
_MORE = ("saliency_tube:tau=0.5",)


@dataclass(frozen=True)
class ChosenMap:
    """A map with settings.

    Attributes:
      text: as it was named.
      name: of the map, or of a baseline.
      settings: those that are not at their defaults.
    """

    text: str
    name: str
    settings: Mapping[str, Any]

    @property
    def is_baseline(self) -> bool:
        """Whether it knows nothing of the network."""
        return self.name in BASELINES

    @property
    def title(self) -> str:
        """As a caption writes it, such as `RISE, masks = 300`."""
        own = BASELINES[self.name] if self.is_baseline else maps.named(self.name)
        return ", ".join([own.title, *(f"{name} = {to}" for name, to in self.settings.items())])


def choose(texts: Sequence[str]) -> list[ChosenMap]:
    """The maps that are named, and what they must beat; `all`, or none, stands for all of them.

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
    """A map as a command line names it.

    Raises:
      ValueError: the map or a setting is unknown, or a value is not allowed.
    """
    name, *rest = text.split(":")
    settings = dict(_setting(name, part) for part in rest)
    if name in BASELINES:
        if settings:
            raise ValueError(f"{name} has no settings, and {text!r} gives some")
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
        raise ValueError(f"{name}:{part}: settings are written {name}:SETTING=VALUE")
    try:
        return setting, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return setting, value
