"""The networks by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

import vidjax.models
from vidjax import plugins
from vidjax.models.cards import ModelCard, Variant
from vidjax.untrusted_names import nearest


def variants() -> Mapping[str, Variant]:
    """All networks, by name and sorted: what stands in `VARIANTS` of the modules of networks."""
    return _found()[0]


@plugins.remembered
def _found() -> tuple[Mapping[str, Variant], Mapping[str, str]]:
    """The networks, and why some cannot be used."""
    found, unusable = plugins.collect(
        vidjax.models, "VARIANTS", lambda variant: variant.card.name, "model"
    )
    return dict(sorted(found.items())), unusable


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match a shell-style pattern, sorted."""
    return [name for name in variants() if fnmatch.fnmatchcase(name, pattern)]


def model_card(name: str) -> ModelCard:
    """Facts of a network; `vidjax.options(name)` has its options.

    Raises:
      ValueError: the name is unknown.
    """
    return variant(name).card


def variant(name: str) -> Variant:
    """A network by its name.

    Raises:
      ValueError: the name is unknown, or several packages have a network of that name.
    """
    known, unusable = _found()
    if name in unusable:
        raise ValueError(unusable[name])
    if name not in known:
        raise ValueError(f"model {name!r} is unknown: {nearest(name, known)}")
    return known[name]
