"""SoftPool: means over windows, weighted by the softmax of the values in them.

Stergiou et al., Refining activation downsampling with SoftPool; thesis, section 5.3.1, eq. 5.5.
Each channel has its own weights, and negative values keep their sign.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from vidjax.layers.pooling_windows import PLACES, windows

Sizes = tuple[int, ...]
# The input; and for each window its maximum, the sum of its weights, and the result.
Saved = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
GRADIENTS = ("full", "weights")


def soft_pool(
    x: jax.Array,
    window: Sequence[int] = (1, 2, 2),
    strides: Sequence[int] | None = None,
    gradient: str = "full",
) -> jax.Array:
    """Sums w x over each window, where w is the softmax of x in the window.

    An incomplete window at the end of an axis is dropped. It computes in float32, and subtracts the
    maximum of each window, so no value overflows. Derivatives of any order are taken in reverse
    (`jax.grad`, `jax.vjp`); `jax.jvp` is refused, because the gradient is written in closed form.

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
    return _pooled(x, tuple(window), tuple(strides or window), gradient)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _pooled(x: jax.Array, window: Sizes, strides: Sizes, gradient: str) -> jax.Array:
    return _forward(x, window, strides, gradient)[0]


def _forward(x: jax.Array, window: Sizes, strides: Sizes, gradient: str) -> tuple[jax.Array, Saved]:
    del gradient
    inside = _inside(x, window, strides)
    highest = jnp.max(inside, axis=PLACES, keepdims=True)
    weights = jnp.exp(inside - highest)
    total = jnp.sum(weights, axis=PLACES, keepdims=True)
    pooled = jnp.sum(weights * inside, axis=PLACES, keepdims=True) / total
    return jnp.squeeze(pooled, PLACES).astype(x.dtype), (x, highest, total, pooled)


def _backward(
    window: Sizes, strides: Sizes, gradient: str, saved: Saved, upstream: jax.Array
) -> tuple[jax.Array]:
    """Computes the slope of each value in closed form, in fewer passes than automatically."""
    x, highest, total, pooled = saved
    inside, transpose = jax.vjp(lambda x: _inside(x, window, strides), x)
    slope = jnp.exp(inside - highest) / total
    if gradient == "full":
        slope = slope * (1 + inside - pooled)
    (dx,) = transpose(slope * jnp.expand_dims(upstream.astype(jnp.float32), PLACES))
    return (dx,)


_pooled.defvjp(_forward, _backward)


def _inside(x: jax.Array, window: Sizes, strides: Sizes) -> jax.Array:
    return windows(x, window, strides).astype(jnp.float32)
