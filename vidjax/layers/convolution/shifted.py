"""Computes channel-wise convolutions by multiply-adds of the shifted input.

The kernel's gradient keeps a sum per column of the image until the end. So the loop adds vectors;
summing over the width inside it would be a chain of scalar additions.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.optimization_barrier import compute_once
from vidjax.layers.padding import pad


def fits(problem: Problem, name: str) -> bool:
    """Accepts channel-wise kernels."""
    del name
    return problem.kind == "channel-wise"


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Adds up, over the taps, the shifted input times the tap."""
    x = pad(x, problem.pads)

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        total = jnp.zeros((), jnp.float32)
        for tap in itertools.product(*map(range, problem.kernel[:3])):
            total = total + shifted(problem, x, tap) * kernel[tap][0]
        return total.astype(x.dtype)

    return compute_once(convolve, x, kernel)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Convolves the gradient, dilated by the strides, with the mirrored kernel."""
    config = [(0, 0, 0)]
    for axis in range(3):
        before = problem.kernel[axis] - 1 - problem.pads[axis][0]
        spread = (g.shape[axis + 1] - 1) * problem.strides[axis] + 1
        after = problem.shape[axis + 1] + problem.kernel[axis] - 1 - before - spread
        config.append((before, after, problem.strides[axis] - 1))
    g = lax.pad(g, jnp.zeros((), g.dtype), [*config, (0, 0, 0)])
    spread_out = Problem(g.shape, problem.kernel, (1, 1, 1), ((0, 0),) * 3, problem.groups)
    return forward(spread_out, g, kernel[::-1, ::-1, ::-1])


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Adds up the products of input and gradient row by row of the image, for all clips at once."""
    x = pad(x, problem.pads)
    kt, kh, kw = problem.kernel[:3]
    batch, length, height, width, channels = g.shape
    st, sh, sw = problem.strides

    def add(row: jax.Array, totals: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        t, h = jnp.divmod(row, height)
        gradient = lax.dynamic_slice(g, (0, t, h, 0, 0), (batch, 1, 1, width, channels))
        seen = (batch, kt, kh, x.shape[3], channels)
        window = lax.dynamic_slice(x, (0, t * st, h * sh, 0, 0), seen)
        return tuple(
            total
            + lax.slice_in_dim(window, j, j + (width - 1) * sw + 1, sw, axis=3).astype(jnp.float32)
            * gradient.astype(jnp.float32)
            for j, total in enumerate(totals)
        )

    # Clips are added up last, because they may be on several devices.
    start = tuple(jnp.zeros((batch, kt, kh, width, channels), jnp.float32) for _ in range(kw))
    totals = lax.fori_loop(0, length * height, add, start)
    gradient = jnp.stack([total.sum(axis=(0, 3)) for total in totals], axis=2)
    return gradient[:, :, :, None].astype(x.dtype)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)


def shifted(problem: Problem, x: jax.Array, tap: tuple[int, ...]) -> jax.Array:
    """Returns the part of the padded input that a tap meets, `[B, T', H', W', C]`."""
    for axis in range(3):
        stop = tap[axis] + (problem.size[axis] - 1) * problem.strides[axis] + 1
        x = lax.slice_in_dim(x, tap[axis], stop, problem.strides[axis], axis=axis + 1)
    return x
