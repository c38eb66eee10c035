"""What each position of a convolution's result sees of the input, copied side by side (im2col)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad


def padded(problem: Problem, x: jax.Array) -> jax.Array:
    """`[B, T, H, W, C]` with the problem's zeros around; windows are taken of it."""
    return pad(x, problem.pads)


def first_frames(problem: Problem) -> jax.Array:
    """For each frame of the result, of all clips, the number of the first padded frame it sees."""
    clip, time = np.ogrid[: problem.shape[0], : problem.size[0]]
    length = problem.shape[1] + sum(problem.pads[0])
    return jnp.asarray((clip * length + time * problem.strides[0]).ravel(), jnp.int32)


def windows(problem: Problem, x: jax.Array, frames: jax.Array) -> jax.Array:
    """`[n, H', W', kt * kh * kw * C]` of the result's frames whose `first_frames` are given.

    A gather of pixels: concatenated slices would each be copied before they are put together.

    Args:
      problem: what is convolved.
      x: the input, `padded`.
      frames: `[n]`, some of `first_frames`.
    """
    _, _, height, width, channels = x.shape
    shape = (len(frames), *problem.size[1:], *problem.kernel[:3])

    def place(axis: int) -> jax.Array:
        return lax.broadcasted_iota(jnp.int32, shape, axis)

    frame = lax.broadcast_in_dim(frames, shape, (0,)) + place(3)
    row = frame * height + place(1) * problem.strides[1] + place(4)
    pixel = row * width + place(2) * problem.strides[2] + place(5)
    seen = x.reshape(-1, channels).at[pixel].get(mode="promise_in_bounds")
    # Without the barrier XLA would look pixels up one by one inside of a product.
    return lax.optimization_barrier(seen.reshape(*shape[:3], -1))
