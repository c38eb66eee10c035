"""Each frame's patches meet the taps of all times in one product; results are added in time.

Where channels are few, as in a stem, patches over time are long to copy: a frame's own are as many
times shorter as there are taps in time, and the products' rows as many times wider, which matrix
products like.
"""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.form import Form
from vidjax.layers.convolution.in_parts import mapped, parts, summed
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad

# Elements in memory at once of patches and of products: 4 MiB a core are still in its cache.
_ELEMENTS = 2**22


def fits(problem: Problem, name: str) -> bool:
    """Dense kernels with more than one tap in time."""
    del name
    return problem.kind == "dense" and problem.kernel[0] > 1


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Products of all frames and taps, each added to the result that it is for."""
    taps, outputs = problem.kernel[0], problem.outputs
    matrix = kernel.reshape(taps, -1, outputs).swapaxes(0, 1).reshape(-1, taps * outputs)

    def convolve(clips: jax.Array) -> jax.Array:
        patches = _patches(problem, clips)
        shape = patches.shape[:4]
        product = jnp.dot(
            patches.reshape(-1, len(matrix)), matrix, preferred_element_type=jnp.float32
        )
        shares = lax.optimization_barrier(product).reshape(*shape, taps, outputs)
        total = jnp.zeros((), jnp.float32)
        for tap in range(taps):
            total = total + _taken(problem, shares[..., tap, :], tap)
        return total.astype(x.dtype)

    return mapped(convolve, x, _parts(problem))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Gradients as every tap in time meets them, side by side, with the frames' patches."""
    taps, outputs = problem.kernel[0], problem.outputs

    def contract(clips: jax.Array, gradient: jax.Array) -> jax.Array:
        patches = _patches(problem, clips)
        shares = jnp.concatenate([_given(problem, gradient, tap) for tap in range(taps)], -1)
        return lax.dot_general(
            lax.optimization_barrier(shares).reshape(-1, taps * outputs),
            patches.reshape(-1, patches.shape[-1]),
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )

    gradient = summed(contract, (x, g), _parts(problem)).astype(x.dtype)
    gradient = gradient.reshape(taps, outputs, *problem.kernel[1:4])
    return gradient.transpose(0, 2, 3, 4, 1)


FORM = Form(fits, forward, None, kernel_gradient)


def _parts(problem: Problem) -> int:
    frame = math.prod(problem.size[1:])
    widest = max(math.prod(problem.kernel[1:4]), problem.kernel[0] * problem.outputs)
    return parts(problem.shape[0], problem.shape[0] * problem.shape[1] * frame * widest, _ELEMENTS)


def _taken(problem: Problem, share: jax.Array, tap: int) -> jax.Array:
    """Of a tap's share at every frame, what each result takes."""
    stride = problem.strides[0]
    share = pad(share, (problem.pads[0], (0, 0), (0, 0)))
    return share[:, tap : tap + (problem.size[0] - 1) * stride + 1 : stride]


def _given(problem: Problem, g: jax.Array, tap: int) -> jax.Array:
    """The transpose of `_taken`: each result's gradient at the frame that its tap saw."""
    stride = problem.strides[0]
    span = (problem.size[0] - 1) * stride + 1
    before = tap - problem.pads[0][0]
    config = [(0, 0, 0)] * g.ndim
    config[1] = (before, problem.shape[1] - before - span, stride - 1)
    return lax.pad(g, jnp.zeros((), g.dtype), config)


def _patches(problem: Problem, x: jax.Array) -> jax.Array:
    """`[B, T, H', W', kh * kw * C]`: what each position of a frame sees of it."""
    x = pad(x, ((0, 0), *problem.pads[1:]))
    (_, height, width), (_, rows, columns) = problem.size, problem.strides
    views = [
        x[:, :, i : i + (height - 1) * rows + 1 : rows, j : j + (width - 1) * columns + 1 : columns]
        for i, j in itertools.product(*map(range, problem.kernel[1:3]))
    ]
    # Without the barrier XLA would compute patches element by element inside the product.
    return lax.optimization_barrier(jnp.concatenate(views, -1))
