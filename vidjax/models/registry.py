"""The networks by name, and the methods that fill their slots: the one file that knows both.

A network registers itself by standing in the `VARIANTS` of a file in `vidjax/models`. A method
is one line in `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.methods import class_regularization, temporal_gates
from vidjax.models import filling
from vidjax.models.filling import AllSlots, Stages, hashable
from vidjax.models.listing import nearest, variant
from vidjax.models.slots import Slots

STAGES = 4
Reading = Callable[[Mapping[str, Any], jax.Array], dict[str, jax.Array]]


@dataclass(frozen=True)
class Method:
    """What an option of `create_model` does to a network.

    Attributes:
      fill: from the slots of all stages, the option's value and the numbers of the network's
        stages to slots.
      reading: from what a network has sown into `intermediates`, and its logits, to what is
        worth a line in the log: named values `[B]`, of which the mean is taken.
    """

    fill: Callable[[AllSlots, Any, Stages], AllSlots]
    reading: Reading | None = None


# Option of `create_model` -> what it puts into the slots of the stages, one after the other.
METHODS: Mapping[str, Method] = {
    "srtg": Method(filling.temporal_gates, temporal_gates.openness),
    "gate": Method(filling.gate_setting("gate")),
    "gate_warmup_steps": Method(filling.gate_setting("gate_warmup_steps")),
    "multi_temporal": Method(filling.multi_temporal),
    "random_scaling": Method(filling.random_scaling),
    "residual_drop": Method(filling.drop_branches),
    "class_reg": Method(filling.class_reg, class_regularization.agreement),
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
      **options: the family's own, such as `width`, and the methods' (all off by default).

    Returns:
      A module: `model.apply(variables, clip, train=False)` maps clips `[B, T, H, W, 3]`,
      normalised, to logits float32 `[B, num_classes]`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.
    """
    network = variant(name)
    for option in options:
        methods = METHODS if network.methods is None else network.methods
        if option not in network.options and option not in methods:
            if option in METHODS:
                raise ValueError(f"{name} has no place for {option}")
            known = (*network.options, *methods)
            raise ValueError(f"{name} has no option {option!r}: {nearest(option, known)}")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes = {num_classes!r}: a number of at least 1 is expected")
    if jnp.dtype(dtype) not in (jnp.float32, jnp.bfloat16):
        raise ValueError(f"dtype = {dtype!r}: float32 or bfloat16")
    options = {**network.defaults, **{key: hashable(value) for key, value in options.items()}}
    slots: AllSlots = (Slots(),) * STAGES
    for key, method in METHODS.items():
        option = options.pop(key, None)
        slots = slots if option is None else method.fill(slots, option, network.stages)
    return network.build(num_classes=num_classes, dtype=dtype, slots=slots, **options)


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
