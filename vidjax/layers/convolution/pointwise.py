"""Computes convolutions with 1x1x1 kernels as matrix products."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem, Triple
from vidjax.layers.optimization_barrier import compute_once
from vidjax.layers.padding import pad


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense 1x1x1 kernels."""
    del name
    return problem.kind == "dense" and problem.extent == "point"


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies the strided input `[B, T', H', W', C]` by the kernel `[C, O]`."""
    return product(every(pad(x, problem.pads), problem.strides), kernel[0, 0, 0]).astype(x.dtype)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies the gradient by the transposed kernel; skipped positions get zero."""
    share = lax.dot_general(
        g.reshape(-1, problem.outputs),
        kernel[0, 0, 0],
        (((1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    share = share.reshape(*g.shape[:4], -1).astype(g.dtype)
    config = [(0, 0, 0)]
    for axis in range(3):
        before = -problem.pads[axis][0]
        span = (g.shape[axis + 1] - 1) * problem.strides[axis] + 1
        after = problem.shape[axis + 1] - before - span
        config.append((before, after, problem.strides[axis] - 1))
    if not any(any(side) for side in config):
        return share
    return lax.pad(share, jnp.zeros((), g.dtype), [*config, (0, 0, 0)])


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies input and gradient, summing over positions.

    The product is twice as fast if the array with fewer channels is the first factor.
    """
    channels, outputs = problem.kernel[3:]
    x = every(pad(x, problem.pads), problem.strides)
    sides = (x.reshape(-1, channels), g.reshape(-1, outputs))
    turned = outputs < channels
    gradient = lax.dot_general(
        *(sides[::-1] if turned else sides),
        (((0,), (0,)), ((), ())),
        preferred_element_type=jnp.float32,
    ).astype(x.dtype)
    # Transposed once here. Fused into the optimiser, it would be read many times across memory.
    gradient = compute_once(jnp.transpose, gradient) if turned else gradient
    return gradient.reshape(problem.kernel)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)


def product(x: jax.Array, matrix: jax.Array) -> jax.Array:
    """Multiplies `[B, T, H, W, C]` by `[C, O]`, to float32."""
    result = jnp.dot(x.reshape(-1, len(matrix)), matrix, preferred_element_type=jnp.float32)
    return result.reshape(*x.shape[:4], -1)


def every(x: jax.Array, strides: Triple) -> jax.Array:
    """Takes every `stride`-th position along T, H and W."""
    time, height, width = strides
    return x[:, ::time, ::height, ::width]
