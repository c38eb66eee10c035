"""The networks by name, and the methods that fill their slots: the one file that knows both.

A network registers itself by standing in the `VARIANTS` of a file in `vidjax/models`. A method
is one line in `METHODS`.
"""

from __future__ import annotations

import dataclasses
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
from vidjax.methods.random_mean_scaling import RandomScaling
from vidjax.methods.random_mean_scaling import check as check_scaling
from vidjax.methods.residual_drop import residual_drop
from vidjax.models.cards import ModelCard, Variant
from vidjax.models.slots import Points, Slots

STAGES = 4
AllSlots = tuple[Slots, ...]


def _random_scaling(slots: AllSlots, settings: Mapping[str, Any]) -> AllSlots:
    """Into the branches of stages 3 and 4, where the paper's ablation (table 1a) found it best."""
    if not isinstance(settings, Mapping):
        raise ValueError(
            f"random_scaling = {settings!r}: a mapping of settings, {{}} for the paper's"
        )
    values = {key: _hashable(value) for key, value in settings.items()}
    best = Points(basic=("norm1", "norm2"), bottleneck=("norm3",))
    at = values.pop("at", None)
    points = Points(basic=at, bottleneck=at) if at else best
    stages = _stages("random_scaling", values.pop("stages", (3, 4)))
    make = _settings("random_scaling", RandomScaling, values)
    check_scaling(make())
    return _fill(slots, stages, before_norm=make, points=points)


def _residual_drop(slots: AllSlots, option: Any) -> AllSlots:
    """Into all branches."""
    return _fill(slots, range(1, STAGES + 1), branch_drop=residual_drop(option))


# Option of `create_model` -> what it puts into the slots of the four stages.
METHODS: Mapping[str, Callable[[AllSlots, Any], AllSlots]] = {
    "random_scaling": _random_scaling,
    "residual_drop": _residual_drop,
}


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
        methods = METHODS if variant.methods is None else variant.methods
        if option not in variant.options and option not in methods:
            if option in METHODS:
                raise ValueError(f"{name} has no residual branches in which {option} has a place")
            known = (*variant.options, *methods)
            raise ValueError(f"{name} has no option {option!r}: {_nearest(option, known)}")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes = {num_classes!r}: a number of at least 1 is expected")
    if jnp.dtype(dtype) not in (jnp.float32, jnp.bfloat16):
        raise ValueError(f"dtype = {dtype!r}: float32 or bfloat16")
    # Configurations read from JSON hold lists; a module's attributes must be hashable.
    options = {key: _hashable(value) for key, value in options.items()}
    slots: AllSlots = (Slots(),) * STAGES
    for method, fill in METHODS.items():
        settings = options.pop(method, None)
        slots = slots if settings is None else fill(slots, settings)
    return variant.build(num_classes=num_classes, dtype=dtype, slots=slots, **options)


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def _settings(method: str, module: type, values: Mapping[str, Any]) -> Callable[..., Any]:
    """Makes modules of a method, once it is known that it has such settings."""
    known = {item.name for item in dataclasses.fields(module)} - {"name", "parent"}
    for key in values:
        if key not in known:
            near = _nearest(key, known | {"at", "stages"})
            raise ValueError(f"{method} has no setting {key!r}: {near}")
    return functools.partial(module, **values)


def _stages(method: str, stages: Any) -> tuple[int, ...]:
    if not isinstance(stages, tuple):
        raise ValueError(f"{method} stages = {stages!r}: a tuple, such as (3, 4)")
    for stage in stages:
        if stage not in range(1, STAGES + 1):
            raise ValueError(f"{method} in stage {stage!r}: stages are 1 to {STAGES}")
    return stages


def _fill(slots: AllSlots, stages: Iterable[int], **values: Any) -> AllSlots:
    """The slots of some stages with other contents."""
    return tuple(
        dataclasses.replace(slot, **values) if number in stages else slot
        for number, slot in enumerate(slots, start=1)
    )


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
