"""Lists the networks by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

import vidjax.models
from vidjax import plugins
from vidjax.models.cards import ModelCard, Variant
from vidjax.untrusted_names import nearest


def variants() -> Mapping[str, Variant]:
    """Returns all networks by name, sorted: the `VARIANTS` of all modules of networks."""
    return _found()[0]


@plugins.cached
def _found() -> tuple[Mapping[str, Variant], Mapping[str, str]]:
    """Returns the networks, and why some cannot be used."""
    found, unusable = plugins.collect(
        vidjax.models, "VARIANTS", lambda variant: variant.card.name, "model"
    )
    return dict(sorted(found.items())), unusable


def list_models(pattern: str = "*") -> list[str]:
    """Lists the names of networks that match a shell-style pattern, sorted.

    Examples:
      >>> import vidjax
      >>> vidjax.list_models("x3d_*")
      ['x3d_l', 'x3d_m', 'x3d_s', 'x3d_xl', 'x3d_xs']
    """
    return [name for name in variants() if fnmatch.fnmatchcase(name, pattern)]


def model_card(name: str) -> ModelCard:
    """Returns the model card of a network; `vidjax.options(name)` has its options.

    Raises:
      ValueError: the name is unknown.

    Examples:
      >>> import vidjax
      >>> card = vidjax.model_card("slowfast_50")
      >>> card.clip, card.frame_stride, card.params
      ((32, 224, 224), 2, 34566488)
      >>> print(card)
      slowfast_50
        paper: Feichtenhofer et al.: SlowFast Networks for Video Recognition, ICCV 2019
        clip: 32x224x224, stride 2
        mean, std: (0.45, 0.45, 0.45), (0.225, 0.225, 0.225) of RGB in [0, 1]
        parameters: 34,566,488 with 400 classes
        multiply-adds: 50.309 G per clip
        ...
    """
    return variant(name).card


def variant(name: str) -> Variant:
    """Returns a network by its name.

    Raises:
      ValueError: the name is unknown, or several packages have a network of that name.
    """
    known, unusable = _found()
    if name in unusable:
        raise ValueError(unusable[name])
    if name not in known:
        raise ValueError(f"model {name!r} is unknown: {nearest(name, known)}")
    return known[name]
