"""SoftPool: means of windows, weighted by the softmax of what is in them.

Stergiou et al., Refining activation downsampling with SoftPool; thesis, section 5.3.1, eq. 5.5.
Each channel has weights of its own, and negative values keep their sign.
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
    """The sum over each window of w x, with w the softmax of x in the window.

    What is left at the end of an axis and fills no window is left out. Computed in float32, and
    with the largest value of each window subtracted, so that no value is too large for it.

    Args:
      x: `[B, T, H, W, C]`.
      window: along T, H, W.
      strides: along T, H, W; None is the window.
      gradient: `full` is dy/dx = w (1 + x - y); `weights`, what the authors' own kernel
        computes, holds the weights constant: dy/dx = w.

    Returns:
      `[B, T', H', W', C]`, of x's dtype.

    Raises:
      ValueError: a window is larger than the features, or the gradient unknown.
    """
    if gradient not in GRADIENTS:
        raise ValueError(f"gradient = {gradient!r}: one of {', '.join(GRADIENTS)}")
    inside = windows(x, window, strides).astype(jnp.float32)
    # Constant in the gradient, too: the quotient does not depend on it.
    highest = lax.stop_gradient(jnp.max(inside, axis=PLACES, keepdims=True))
    weights = jnp.exp(inside - highest)
    if gradient == "weights":
        weights = lax.stop_gradient(weights)
    pooled = jnp.sum(weights * inside, axis=PLACES) / jnp.sum(weights, axis=PLACES)
    return pooled.astype(x.dtype)
