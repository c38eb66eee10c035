"""Copies each position's patch into a row of a matrix (im2col): one matrix product per pass."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.in_parts import mapped, parts, summed
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.convolution.windows import windows
from vidjax.layers.optimization_barrier import compute_once
from vidjax.layers.padding import pad

# Most elements of patches in memory at once: 16 MiB of float32.
_ELEMENTS = 2**22
# The gradient of a kernel with more elements is computed in memory order, without a transpose.
_LARGE_KERNEL = 2**17


def fits(problem: Problem, name: str) -> bool:
    """Accepts dense kernels of several taps; for the input's gradient, only without stride."""
    if name == "input_gradient" and problem.strided:
        return False
    return problem.kind == "dense" and problem.extent != "point"


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies the patches by the kernel."""
    matrix = kernel.reshape(-1, problem.outputs)

    def convolve(clips: jax.Array) -> jax.Array:
        rows = windows(problem, clips).reshape(-1, len(matrix))
        y = jnp.dot(rows, matrix, preferred_element_type=jnp.float32)
        return y.reshape(-1, *problem.size, problem.outputs).astype(x.dtype)

    return mapped(convolve, pad(x, problem.pads), _parts(problem))


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Convolves the gradient with the mirrored kernel; strides are 1."""
    return forward(problem.mirrored(), g, kernel[::-1, ::-1, ::-1].swapaxes(3, 4))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies the patches by the result's gradient, summing over positions.

    The product is faster with the gradient as the first factor, but then its result is transposed.
    """
    length, outputs = math.prod(problem.kernel[:4]), problem.outputs
    turned = outputs < length and length * outputs <= _LARGE_KERNEL

    def contract(clips: jax.Array, gradient: jax.Array) -> jax.Array:
        rows = windows(problem, clips).reshape(-1, length)
        sides = (rows, gradient.reshape(-1, outputs))
        return lax.dot_general(
            *(sides[::-1] if turned else sides),
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )

    gradient = summed(contract, (pad(x, problem.pads), g), _parts(problem)).astype(x.dtype)
    # Transposed once here. Fused into the optimiser, it would be read many times across memory.
    gradient = compute_once(jnp.transpose, gradient) if turned else gradient
    return gradient.reshape(problem.kernel)


def _parts(problem: Problem) -> int:
    return parts(problem.shape[0], problem.positions * math.prod(problem.kernel[:4]), _ELEMENTS)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)
