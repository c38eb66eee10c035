"""The networks by name, and the methods that fill their slots: the one file that knows both.

A network registers itself by standing in the `VARIANTS` of a file in `vidjax/models`. A method
is one line in `METHODS`.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

import vidjax.models
from vidjax.models.blocks import Slots
from vidjax.models.cards import ModelCard, Variant

STAGES = 4
AllSlots = tuple[Slots, ...]

# Option of `create_model` -> what it puts into the slots of the four stages.
METHODS: Mapping[str, Callable[[AllSlots, Any], AllSlots]] = {}


@functools.cache
def _variants() -> Mapping[str, Variant]:
    found: dict[str, Variant] = {}
    for info in pkgutil.iter_modules(vidjax.models.__path__):
        module = importlib.import_module(f"{vidjax.models.__name__}.{info.name}")
        for variant in getattr(module, "VARIANTS", ()):
            found[variant.card.name] = variant
    return dict(sorted(found.items()))


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match a shell-style pattern, sorted."""
    return [name for name in _variants() if fnmatch.fnmatchcase(name, pattern)]


def model_card(name: str) -> ModelCard:
    """Facts of a network.

    Raises:
      ValueError: the name is unknown.
    """
    return _variant(name).card


def create_model(
    name: str, *, num_classes: int = 400, dtype: Any = jnp.float32, **options: Any
) -> nn.Module:
    """Makes a network.

    Args:
      name: one of `list_models()`.
      num_classes: number of logits.
      dtype: what it computes in, float32 or bfloat16; parameters, statistics and logits are
        float32.
      **options: the family's own, such as `width`, and the methods' (all off by default).

    Returns:
      A module: `model.apply(variables, clip, train=False)` maps clips `[B, T, H, W, 3]`,
      normalised, to logits float32 `[B, num_classes]`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.
    """
    variant = _variant(name)
    for option in options:
        if option not in variant.options and option not in METHODS:
            known = (*variant.options, *METHODS)
            raise ValueError(f"{name} has no option {option!r}: {_nearest(option, known)}")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes = {num_classes!r}: a number of at least 1 is expected")
    if jnp.dtype(dtype) not in (jnp.float32, jnp.bfloat16):
        raise ValueError(f"dtype = {dtype!r}: float32 or bfloat16")
    # Configurations read from JSON hold lists; a module's attributes must be hashable.
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    slots: AllSlots = (Slots(),) * STAGES
    for method, fill in METHODS.items():
        slots = fill(slots, options.pop(method, None))
    return variant.build(num_classes=num_classes, dtype=dtype, slots=slots, **options)


def _variant(name: str) -> Variant:
    if name not in _variants():
        raise ValueError(f"model {name!r} is unknown: {_nearest(name, _variants())}")
    return _variants()[name]


def _nearest(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=3, cutoff=0.5)
    others = [name for name in known if name not in close]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}Known: {', '.join([*close, *others])}"
