"""Multiplies the patches of each frame by all temporal taps at once, and adds the results in time.

With few channels, as in a stem, copying patches that span kt frames takes long. Patches of one
frame are kt times shorter. One matrix product multiplies them by all kt taps, so its rows are kt
times wider, which makes it faster. Taps that would only meet temporal padding are left out.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.in_parts import mapped, parts, summed
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.convolution.windows import windows
from vidjax.layers.padding import pad

# Most elements of a frame's patches or products in memory at once: 16 MiB of float32.
_ELEMENTS = 2**22
# The program has a product for each frame, so long clips would make it large.
_MOST_FRAMES = 64


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels with several temporal taps, on clips of at most 64 frames."""
    del name
    several = problem.kind == "dense" and problem.kernel[0] > 1
    return several and problem.shape[1] <= _MOST_FRAMES


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies each frame by the taps that meet it, and adds the parts of each output frame."""
    outputs, (_, height, width) = problem.outputs, problem.size
    taps = kernel.reshape(problem.kernel[0], -1, outputs)

    def convolve(clips: jax.Array) -> jax.Array:
        shares: list[list[jax.Array]] = [[] for _ in range(problem.size[0])]
        for met, patches in _frames(problem, clips):
            matrix = jnp.concatenate([taps[tap] for tap in met], -1)
            product = jnp.dot(patches, matrix, preferred_element_type=jnp.float32)
            each = jnp.split(lax.optimization_barrier(product), len(met), -1)
            for time, share in zip(met.values(), each, strict=True):
                shares[time].append(share)
        y = _added(shares, (len(clips) * height * width, outputs))
        return y.reshape(-1, len(clips), height, width, outputs).swapaxes(0, 1).astype(x.dtype)

    return mapped(convolve, x, _parts(problem))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies each frame's patches by the gradients of the output frames that it is part of."""
    outputs = problem.outputs

    def contract(clips: jax.Array, gradient: jax.Array) -> jax.Array:
        totals: list[list[jax.Array]] = [[] for _ in range(problem.kernel[0])]
        for met, patches in _frames(problem, clips):
            given = jnp.concatenate([gradient[:, time] for time in met.values()], -1)
            product = lax.dot_general(
                lax.optimization_barrier(given).reshape(-1, len(met) * outputs),
                patches,
                (((0,), (0,)), ((), ())),
                preferred_element_type=jnp.float32,
            )
            for tap, share in zip(met, jnp.split(product, len(met)), strict=True):
                totals[tap].append(share)
        return _added(totals, (outputs, math.prod(problem.kernel[1:4])))

    gradient = summed(contract, (x, g), _parts(problem)).astype(x.dtype)
    gradient = gradient.reshape(problem.kernel[0], outputs, *problem.kernel[1:4])
    return gradient.transpose(0, 2, 3, 4, 1)


ALGORITHM = Algorithm(fits, forward, None, kernel_gradient)


def _parts(problem: Problem) -> int:
    widest = max(math.prod(problem.kernel[1:4]), problem.kernel[0] * problem.outputs)
    return parts(problem.shape[0], problem.positions // problem.size[0] * widest, _ELEMENTS)


def _meetings(problem: Problem) -> list[dict[int, int]]:
    """Returns, for each input frame, the output frame that it contributes to through each tap."""
    stride, before = problem.strides[0], problem.pads[0][0]
    meetings: list[dict[int, int]] = [{} for _ in range(problem.shape[1])]
    for time in range(problem.size[0]):
        for tap in range(problem.kernel[0]):
            frame = time * stride + tap - before
            if 0 <= frame < len(meetings):
                meetings[frame][tap] = time
    return meetings


def _frames(problem: Problem, clips: jax.Array) -> Iterator[tuple[dict[int, int], jax.Array]]:
    """Yields each frame's taps with their output frames, and patches `[B H' W', kh kw C]`."""
    batch, _, height, width, channels = clips.shape
    alone = dataclasses.replace(
        problem,
        shape=(batch, 1, height, width, channels),
        kernel=(1, *problem.kernel[1:]),
        strides=(1, *problem.strides[1:]),
        pads=((0, 0), *problem.pads[1:]),
    )
    x = pad(clips, alone.pads)
    columns = math.prod(problem.kernel[1:4])
    for frame, met in enumerate(_meetings(problem)):
        if met:
            yield met, windows(alone, x[:, frame : frame + 1]).reshape(-1, columns)


def _added(shares: list[list[jax.Array]], shape: tuple[int, int]) -> jax.Array:
    """Adds up the arrays of each list, and stacks the sums; an empty list gives zeros."""
    return jnp.stack([functools.reduce(jnp.add, each, jnp.zeros(shape)) for each in shares])
