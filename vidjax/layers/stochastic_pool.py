"""Stochastic pooling: draws one value of each window, with probability proportional to it.

Zeiler and Fergus, Stochastic pooling for regularization of deep networks, 2013; thesis, table 5.8.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from vidjax.layers.pooling_windows import PLACES, windows


def stochastic_pool(
    x: jax.Array,
    window: Sequence[int] = (1, 2, 2),
    strides: Sequence[int] | None = None,
    *,
    key: jax.Array | None = None,
) -> jax.Array:
    """Draws one value x of each window, with probability p = max(x, 0) over the window's sum.

    If no value is above zero, all are equally likely.

    Args:
      x: `[B, T, H, W, C]`.
      window: window along T, H, W.
      strides: strides along T, H, W; None is the window.
      key: random key; None returns the expectation, the sum of p x, as at test time.

    Returns:
      `[B, T', H', W', C]`, of x's dtype. The gradient goes to the drawn values.

    Raises:
      ValueError: a window is larger than the features.
    """
    inside = windows(x, window, strides).astype(jnp.float32)
    inside = jnp.moveaxis(inside, PLACES, (-3, -2, -1))
    inside = inside.reshape(*inside.shape[:-3], -1)
    mass = jax.nn.relu(jax.lax.stop_gradient(inside))
    total = jnp.sum(mass, axis=-1, keepdims=True)
    chance = jnp.where(total > 0, mass / jnp.where(total > 0, total, 1), 1 / inside.shape[-1])
    if key is None:
        return jnp.sum(chance * inside, axis=-1).astype(x.dtype)
    drawn = jax.random.categorical(key, jnp.log(chance))
    return jnp.take_along_axis(inside, drawn[..., None], axis=-1)[..., 0].astype(x.dtype)
