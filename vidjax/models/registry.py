"""The networks by name, and the methods that fill their slots: the one file that knows both.

A network registers itself by standing in the `VARIANTS` of a file in `vidjax/models`. A method
is one line in `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.methods import class_regularization, temporal_gates
from vidjax.models import filling
from vidjax.models.cards import Variant
from vidjax.models.filling import AllSlots, hashable
from vidjax.models.listing import variant
from vidjax.models.places import Places
from vidjax.models.slots import Slots
from vidjax.names import nearest
from vidjax.settings import Kind, check, whole

STAGES = 4
Reading = Callable[[Mapping[str, Any], jax.Array], dict[str, jax.Array]]


def _is_dtype(value: Any) -> bool:
    try:
        return value is not None and jnp.dtype(value) in (jnp.float32, jnp.bfloat16)
    except TypeError:
        return False


# What all networks take.
ALL: Mapping[str, Kind] = {
    "num_classes": whole(1, 2**24),
    "dtype": Kind("float32 or bfloat16", _is_dtype),
}


@dataclass(frozen=True)
class Method:
    """What an option of `create_model` does to a network.

    Attributes:
      fill: from the slots of all stages, the option's value and the network's places to slots.
      reading: from what a network has sown into `intermediates`, and its logits, to what is
        worth a line in the log: named values `[B]`, of which the mean is taken.
      several: whether the option may have several values, in a tuple or list.
    """

    fill: Callable[[AllSlots, Any, Places], AllSlots]
    reading: Reading | None = None
    several: bool = True


# Option of `create_model` -> what it puts into the slots of the stages, one after the other. The
# modules in a slot run in this order.
METHODS: Mapping[str, Method] = {
    "srtg": Method(filling.gate_in_time, temporal_gates.openness),
    "gate": Method(filling.gate_setting("gate"), several=False),
    "gate_warmup_steps": Method(filling.gate_setting("gate_warmup_steps"), several=False),
    "multi_temporal": Method(filling.convolve_twice),
    "random_scaling": Method(filling.scale_at_random),
    "residual_drop": Method(filling.drop_branches),
    "class_reg": Method(filling.regularize, class_regularization.agreement),
}


def create_model(
    name: str, *, num_classes: int = 400, dtype: Any = jnp.float32, **options: Any
) -> nn.Module:
    """Makes a network.

    Args:
      name: one of `list_models()`.
      num_classes: number of logits.
      dtype: what it computes in, float32 or bfloat16; parameters, statistics and logits are
        float32.
      **options: the family's own, such as `width`, and the methods' (all off by default). A
        method's option may be a tuple or list of several values, each as if it stood alone; their
        modules run one after the other.

    Returns:
      A module: `model.apply(variables, clip, train=False)` maps clips `[B, T, H, W, 3]`,
      normalised, to logits float32 `[B, num_classes]`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.
    """
    check_options(name, options)
    check({"num_classes": num_classes, "dtype": dtype}, ALL)
    network = variant(name)
    options = {**network.defaults, **{key: hashable(value) for key, value in options.items()}}
    places = _places(network, options)
    slots: AllSlots = (Slots(),) * STAGES
    for key, method in METHODS.items():
        for value in _each(key, options.pop(key, None), several=method.several):
            slots = method.fill(slots, value, places)
    filling.check_gates(slots)
    return network.build(num_classes=num_classes, dtype=dtype, slots=slots, **options)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuses options that a network does not have, and values that its own may not have.

    Args:
      name: one of `list_models()`.
      options: as in `create_model`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.
    """
    network = variant(name)
    _check_names(network, options)
    check(options, network.options)


def _check_names(network: Variant, options: Iterable[str]) -> None:
    """Refuses options that the network does not have."""
    name, methods = network.card.name, METHODS if network.methods is None else network.methods
    for option in options:
        if option in network.refused:
            raise ValueError(f"{name} has no place for {option}: {network.refused[option]}")
        if option not in network.options and option not in methods:
            if option in METHODS:
                raise ValueError(f"{name} has no place for {option}")
            known = (*network.options, *methods)
            raise ValueError(f"{name} has no option {option!r}: {nearest(option, known)}")


def _places(network: Variant, options: Mapping[str, Any]) -> Places:
    depths = options.get("depths") or network.depths
    empty = [stage for stage in network.stages if depths and not depths[stage - 1]]
    return Places(network.stages, tuple(empty), options.get("block", network.block))


def _each(name: str, option: Any, *, several: bool) -> tuple[Any, ...]:
    """The values of a method's option: none, one, or several one after the other."""
    if option is None:
        return ()
    if not (several and isinstance(option, tuple)):
        return (option,)
    if not option:
        raise ValueError(f"{name} = {option} is empty; use None to turn it off")
    return option


def readings(name: str, options: Mapping[str, Any]) -> Reading | None:
    """What reads all that the methods in a network have to say; None if that is nothing.

    Args:
      name: of the network.
      options: that it was made with.
    """
    options = {**variant(name).defaults, **options}
    on = [METHODS[name].reading for name in METHODS if options.get(name) is not None]
    found = [reading for reading in on if reading is not None]

    def read(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
        return {k: v for reading in found for k, v in reading(intermediates, logits).items()}

    return read if found else None
