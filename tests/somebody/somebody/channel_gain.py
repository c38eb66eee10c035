"""Channel gain: a learnt factor for each channel at the end of stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.settings import number
from vidjax.slots import (
    STAGES,
    AllSlots,
    Option,
    Places,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
    settings_of,
)

SETTINGS = {"start": number(-10, 10)}


class ChannelGain(nn.Module):
    """Multiplies channels by learnt factors, and sows the mean activation of each clip.

    Attributes:
      start: initial value of all factors.
    """

    start: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, classifier: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape."""
        del classifier, train
        gain = self.param("gain", nn.initializers.constant(self.start), (x.shape[-1],))
        result = x * gain.astype(x.dtype)
        self.sow("intermediates", "gained", jnp.mean(result, axis=(1, 2, 3, 4)))
        return result


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts it at the end of stages."""
    values = option_settings("channel_gain", value)
    stages = pop_stages("channel_gain", values, places)
    make = module_factory("channel_gain", ChannelGain, values, SETTINGS, more=STAGES)
    return insert_module("channel_gain", slots, stages, "after_stage", make)


def gained(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Reads the mean activation after each gain: `gained/<where>` float `[B]`."""
    del logits
    return dict(_sown(intermediates, ()))


def _sown(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, jax.Array]]:
    for name, value in tree.items():
        if name == "gained":
            yield f"gained/{'_'.join(path)}", value[0]
        elif isinstance(value, Mapping):
            yield from _sown(value, (*path, name))


OPTIONS = (
    Option(
        "channel_gain",
        fill,
        "a mapping of settings",
        "learnt factors of channels at the end of stages",
        {**settings_of(SETTINGS, ChannelGain), **STAGES},
        gained,
    ),
)
