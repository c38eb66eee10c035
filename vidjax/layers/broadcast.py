"""Numbers of whole clips, frames or channels at every position of features."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def spread(values: jax.Array, x: jax.Array) -> jax.Array:
    """Values of a broadcastable shape in the shape and dtype of features.

    They are rounded after they are spread, so that their gradient, a sum over positions, is
    added up in their own float32: in bfloat16 256 + 1 is 256, and most of such a sum is lost.

    Args:
      values: float32, such as `[B, 1, 1, 1, C]` or `[C]`.
      x: `[B, T, H, W, C]`.
    """
    return jnp.broadcast_to(values, x.shape).astype(x.dtype)
