"""Extracts pooling windows, so that their elements can be reduced together."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

# Axes of `windows` that hold the elements of a window.
PLACES = (2, 4, 6)


def windows(x: jax.Array, window: Sequence[int], strides: Sequence[int] | None = None) -> jax.Array:
    """Extracts the windows of a clip; an incomplete window at the end of an axis is dropped.

    Args:
      x: `[B, T, H, W, C]`.
      window: window along T, H, W: kt, kh, kw.
      strides: strides along T, H, W; None is the window.

    Returns:
      `[B, T', kt, H', kh, W', kw, C]`: a view if windows do not overlap.

    Raises:
      ValueError: a window is larger than the features, or a size is below 1.
    """
    window, strides = tuple(window), tuple(strides or window)
    for size, stride, length in zip(window, strides, x.shape[1:4], strict=True):
        if size < 1 or stride < 1:
            raise ValueError(f"a window of {window} by {strides}: must be at least 1 along T, H, W")
        if size > length:
            raise ValueError(f"a window of {window} is larger than features {x.shape[1:4]}")
    for axis, size, stride in zip((1, 3, 5), window, strides, strict=True):
        count = (x.shape[axis] - size) // stride + 1
        if stride == size:
            x = jax.lax.slice_in_dim(x, 0, count * size, axis=axis)
            x = x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])
        else:
            starts = stride * np.arange(count)
            x = jnp.take(x, starts[:, None] + np.arange(size), axis=axis)
    return x
