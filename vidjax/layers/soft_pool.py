"""SoftPool: means over windows, weighted by the softmax of the values in them.

Stergiou et al., Refining activation downsampling with SoftPool; thesis, section 5.3.1, eq. 5.5.
Each channel has its own weights, and negative values keep their sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.pooling_windows import PLACES, windows

GRADIENTS = ("full", "weights")


def soft_pool(
    x: jax.Array,
    window: Sequence[int] = (1, 2, 2),
    strides: Sequence[int] | None = None,
    gradient: str = "full",
) -> jax.Array:
    """Sums w x over each window, where w is the softmax of x in the window.

    An incomplete window at the end of an axis is dropped. It computes in float32, and subtracts the
    maximum of each window, so no value overflows.

    Args:
      x: `[B, T, H, W, C]`.
      window: window along T, H, W.
      strides: strides along T, H, W; None is the window.
      gradient: `full` is dy/dx = w (1 + x - y); `weights`, as in the authors' kernel, treats the
        weights as constant: dy/dx = w.

    Returns:
      `[B, T', H', W', C]`, of x's dtype.

    Raises:
      ValueError: a window is larger than the features, or the gradient unknown.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.soft_pool import soft_pool
      >>> x = jnp.array([0.0, 1.0]).reshape(1, 1, 1, 2, 1)
      >>> round(float(soft_pool(x, (1, 1, 2)).squeeze()), 4)  # e / (1 + e)
      0.7311
    """
    if gradient not in GRADIENTS:
        raise ValueError(f"gradient = {gradient!r}: one of {', '.join(GRADIENTS)}")
    inside = windows(x, window, strides).astype(jnp.float32)
    # Treated as constant by the gradient too, because the quotient does not depend on it.
    highest = lax.stop_gradient(jnp.max(inside, axis=PLACES, keepdims=True))
    weights = jnp.exp(inside - highest)
    if gradient == "weights":
        weights = lax.stop_gradient(weights)
    pooled = jnp.sum(weights * inside, axis=PLACES) / jnp.sum(weights, axis=PLACES)
    return pooled.astype(x.dtype)
