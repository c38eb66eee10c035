"""Extracts the patches of the input that a convolution multiplies by its kernel (im2col)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.problem import Problem


def windows(problem: Problem, x: jax.Array) -> jax.Array:
    """Copies the patch of each position into a row, `[n, T', H', W', kt * kh * kw * C]`.

    This gathers pixels, because slices would each be copied before they are concatenated.

    Args:
      problem: the convolution.
      x: n clips with the problem's padding, `[n, T, H, W, C]`.
    """
    _, _, height, width, channels = x.shape
    shape = (*problem.size, *problem.kernel[:3])

    def place(axis: int) -> jax.Array:
        first = lax.broadcasted_iota(jnp.int32, shape, axis) * problem.strides[axis]
        return first + lax.broadcasted_iota(jnp.int32, shape, axis + 3)

    pixel = (place(0) * height + place(1)) * width + place(2)
    seen = x.reshape(len(x), -1, channels).at[:, pixel].get(mode="promise_in_bounds")
    # Without the barrier XLA would look up single pixels inside the matrix product.
    return lax.optimization_barrier(seen.reshape(len(x), *problem.size, -1))
