"""Zero padding of clips."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

Pads = tuple[tuple[int, int], ...]


def pad(x: jax.Array, pads: Pads) -> jax.Array:
    """Pads T, H, W with zeros; negative padding crops."""
    if not any(side for axis in pads for side in axis):
        return x
    config = [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)
