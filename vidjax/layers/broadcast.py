"""Broadcasts values of clips, frames or channels to the shape of features."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def broadcast_like(values: jax.Array, x: jax.Array) -> jax.Array:
    """Broadcasts values to the shape and dtype of features.

    Values are rounded after broadcasting, so that their gradient, a sum over positions, is
    accumulated in float32. In bfloat16 256 + 1 is 256, so most of such a sum would be lost.

    Args:
      values: float32, of a broadcastable shape such as `[B, 1, 1, 1, C]` or `[C]`.
      x: `[B, T, H, W, C]`.
    """
    return jnp.broadcast_to(values, x.shape).astype(x.dtype)
