"""Computes the input's gradient of a strided convolution by a convolution without stride.

With stride s, dx[m s + r] = sum over q of g[m - q] w[q s + r]. So the phases r are output channels
of one convolution over g, and are interleaved afterwards.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from vidjax.layers.convolution import im2col
from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels of several taps with a stride."""
    del name
    return problem.kind == "dense" and problem.extent != "point" and problem.strided


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Computes all phases by one im2col convolution, and interleaves them."""
    strides, (channels, outputs) = problem.strides, problem.kernel[3:]
    taps = [-(-problem.kernel[axis] // strides[axis]) for axis in range(3)]
    fill = [(0, taps[axis] * strides[axis] - problem.kernel[axis]) for axis in range(3)]
    kernel = jnp.pad(kernel, [*fill, (0, 0), (0, 0)])
    kernel = kernel.reshape(
        taps[0], strides[0], taps[1], strides[1], taps[2], strides[2], channels, outputs
    )
    kernel = kernel[::-1, :, ::-1, :, ::-1].transpose(0, 2, 4, 7, 1, 3, 5, 6)
    kernel = kernel.reshape(*taps, outputs, -1)
    pads = tuple((tap - 1, tap - 1) for tap in taps)
    inner = Problem(g.shape, kernel.shape, (1, 1, 1), pads)
    phases = im2col.forward(inner, g, kernel)
    size = phases.shape[1:4]
    dx = phases.reshape(-1, *size, *strides, channels).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    dx = dx.reshape(-1, *(size[axis] * strides[axis] for axis in range(3)), channels)
    edges = (
        (-before, problem.shape[axis + 1] + before - dx.shape[axis + 1])
        for axis, (before, _) in enumerate(problem.pads)
    )
    return pad(dx, tuple(edges))


ALGORITHM = Algorithm(fits, None, input_gradient)
