"""Computes the input's gradient by adding up each window's share of it (col2im).

One matrix product gives all shares. Deep in a network positions are few and kernels large; the
product reads the kernel once, in memory order.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem

# Most elements of the shares, which are all in memory at once.
_ELEMENTS = 2**24


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels of several taps, if the shares fit into memory."""
    del name
    shares = problem.positions * math.prod(problem.kernel[:4])
    return problem.kind == "dense" and problem.extent != "point" and shares <= _ELEMENTS


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Computes the shares of all taps, and adds each at its position."""
    outputs = problem.outputs
    shares = lax.dot_general(
        g.reshape(-1, outputs),
        kernel.reshape(-1, outputs),
        (((1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    shares = shares.reshape(*g.shape[:4], *problem.kernel[:4])
    for axis in (2, 1, 0):
        # The tap axes are before the channels; each is summed into its T, H or W axis and removed.
        taps = [lax.index_in_dim(shares, tap, -2, False) for tap in range(problem.kernel[axis])]
        before, _ = problem.pads[axis]
        length = problem.shape[axis + 1]
        shares = _laid(taps, axis + 1, problem.strides[axis], before, length)
    return shares.astype(g.dtype)


ALGORITHM = Algorithm(fits, None, input_gradient)


def _laid(taps: list[jax.Array], axis: int, stride: int, before: int, length: int) -> jax.Array:
    """Sums taps into an axis of `length`: tap j of window i lands on i stride + j - before."""
    total = jnp.zeros((), taps[0].dtype)
    for tap, values in enumerate(taps):
        config = [(0, 0, 0)] * values.ndim
        span = (values.shape[axis] - 1) * stride + 1
        start = tap - before
        config[axis] = (start, length - start - span, stride - 1)
        total = total + lax.pad(values, jnp.zeros((), values.dtype), config)
    return total
