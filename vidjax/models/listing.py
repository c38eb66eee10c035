"""The networks by name."""

from __future__ import annotations

import fnmatch
import functools
import importlib
import pkgutil
from collections.abc import Mapping

import vidjax.models
from vidjax.models.cards import ModelCard, Variant
from vidjax.names import nearest


@functools.cache
def variants() -> Mapping[str, Variant]:
    """All networks, by name and sorted: what stands in `VARIANTS` of the files beside this one."""
    found: dict[str, Variant] = {}
    for info in pkgutil.iter_modules(vidjax.models.__path__):
        module = importlib.import_module(f"{vidjax.models.__name__}.{info.name}")
        for variant in getattr(module, "VARIANTS", ()):
            found[variant.card.name] = variant
    return dict(sorted(found.items()))


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match a shell-style pattern, sorted."""
    return [name for name in variants() if fnmatch.fnmatchcase(name, pattern)]


def model_card(name: str) -> ModelCard:
    """Facts of a network.

    Raises:
      ValueError: the name is unknown.
    """
    return variant(name).card


def variant(name: str) -> Variant:
    """A network by its name.

    Raises:
      ValueError: the name is unknown.
    """
    if name not in variants():
        raise ValueError(f"model {name!r} is unknown: {nearest(name, variants())}")
    return variants()[name]
