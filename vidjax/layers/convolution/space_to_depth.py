"""Turns a spatial stride s into blocks of s x s pixels in the channels (space to depth).

In y[o] = sum over q, r of x[(o + q) s + r] w[q s + r], the s pixels r of a block become channels.
The result is a convolution without spatial stride. It suits inputs with few channels, such as RGB:
a few channels leave most of the processor's vectors empty, and s x s times as many fill them.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from vidjax.layers.convolution import im2col
from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad

_FEW_CHANNELS = 8


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels with a spatial stride over few channels, as in stems."""
    del name
    few = problem.kind == "dense" and problem.kernel[3] < _FEW_CHANNELS
    return few and max(problem.strides[1:]) > 1 and problem.extent in ("space", "cube")


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves the blocked input with the blocked kernel by im2col."""
    x = _blocked_input(problem, x)
    return im2col.forward(_inner(problem, x), x, _blocked_kernel(problem, kernel))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Computes the gradient of the blocked kernel, and moves its entries back."""
    x = _blocked_input(problem, x)
    blocked = im2col.kernel_gradient(_inner(problem, x), x, g)
    kernel = jax.ShapeDtypeStruct(problem.kernel, x.dtype)
    return jax.linear_transpose(lambda kernel: _blocked_kernel(problem, kernel), kernel)(blocked)[0]


ALGORITHM = Algorithm(fits, forward, None, kernel_gradient)


def _blocks(problem: Problem) -> tuple[int, int]:
    """Returns how many blocks of pixels the kernel spans in height and width."""
    rows, columns = (-(-problem.kernel[axis] // problem.strides[axis]) for axis in (1, 2))
    return rows, columns


def _inner(problem: Problem, x: jax.Array) -> Problem:
    kernel = (problem.kernel[0], *_blocks(problem), x.shape[-1], problem.outputs)
    strides, pads = (problem.strides[0], 1, 1), ((0, 0),) * 3
    return dataclasses.replace(problem, shape=x.shape, kernel=kernel, strides=strides, pads=pads)


def _blocked_input(problem: Problem, x: jax.Array) -> jax.Array:
    """Moves blocks of pixels to channels: `[B, T, H, W, C]` to `[B, T, H/s, W/s, s s C]`."""
    fill = [problem.pads[0]]
    for axis, blocks in zip((1, 2), _blocks(problem), strict=True):
        before = problem.pads[axis][0]
        pixels = (problem.size[axis] + blocks - 1) * problem.strides[axis]
        fill.append((before, pixels - problem.shape[axis + 1] - before))
    x = pad(x, tuple(fill))
    batch, time, height, width, channels = x.shape
    rows, columns = problem.strides[1:]
    x = x.reshape(batch, time, height // rows, rows, width // columns, columns, channels)
    x = x.transpose(0, 1, 2, 4, 3, 5, 6)
    return x.reshape(batch, time, height // rows, width // columns, -1)


def _blocked_kernel(problem: Problem, kernel: jax.Array) -> jax.Array:
    taps, _, _, channels, outputs = kernel.shape
    (rows, columns), (down, across) = _blocks(problem), problem.strides[1:]
    fill = [
        (0, 0, 0),
        (0, rows * down - kernel.shape[1], 0),
        (0, columns * across - kernel.shape[2], 0),
    ]
    kernel = jax.lax.pad(kernel, jnp.zeros((), kernel.dtype), [*fill, (0, 0, 0), (0, 0, 0)])
    kernel = kernel.reshape(taps, rows, down, columns, across, channels, outputs)
    return kernel.transpose(0, 1, 3, 2, 4, 5, 6).reshape(taps, rows, columns, -1, outputs)
