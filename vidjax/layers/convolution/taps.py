"""A sum over taps in time of 2D convolutions, or of matrix products where space has one tap.

XLA's own 3D convolution reaches a third of the speed of its 2D one on a CPU.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.in_parts import mapped, parts
from vidjax.layers.convolution.pointwise import every, product
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad

# XLA's 2D convolution gathers its patches in memory too: past this many elements, where a patch is
# long, it falls from 90 to 12-36 GFLOP/s (2 cores, AVX-512), so it is given fewer frames at once.
_ELEMENTS = 2**20
_LONG_PATCH = 200
# Up to so many channels the frames are convolved side by side.
_FEW_CHANNELS = 16


def fits(problem: Problem, name: str) -> bool:
    """Dense kernels of more than one tap; the input's gradient of those without stride."""
    if name == "input_gradient" and problem.strided:
        return False
    return problem.kind == "dense" and problem.extent != "point"


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Each tap with the frames that it sees."""
    x = pad(x, problem.pads)
    taps, stride = problem.kernel[0], problem.strides[0]
    span = (problem.size[0] - 1) * stride + 1
    frames = [x[:, tap : tap + span : stride] for tap in range(taps)]
    if problem.extent == "time":
        space = (1, *problem.strides[1:])
        results = [
            product(every(frame, space), kernel[tap, 0, 0]) for tap, frame in enumerate(frames)
        ]
    elif taps > 1 and problem.shape[4] <= _FEW_CHANNELS:
        side_by_side = kernel.transpose(1, 2, 0, 3, 4)
        side_by_side = side_by_side.reshape(*kernel.shape[1:3], -1, problem.outputs)
        results = [_conv2d(problem, jnp.concatenate(frames, axis=-1), side_by_side)]
    else:
        results = [_conv2d(problem, frame, kernel[tap]) for tap, frame in enumerate(frames)]
    # Rounded once: sums are float32 whatever is added.
    return sum(results[1:], results[0]).astype(x.dtype)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """The forward pass of the gradient with the mirrored kernel."""
    return forward(problem.mirrored(), g, kernel[::-1, ::-1, ::-1].swapaxes(3, 4))


ALGORITHM = Algorithm(fits, forward, input_gradient)


def _conv2d(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    batch, length = x.shape[:2]
    x = x.reshape(-1, *x.shape[2:])

    def convolve(frames: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            frames,
            kernel,
            problem.strides[1:],
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            preferred_element_type=jnp.float32,
        )

    columns = math.prod(kernel.shape[:3])
    scratch = problem.positions * columns if columns > _LONG_PATCH else 0
    y = mapped(convolve, x, parts(len(x), scratch, _ELEMENTS))
    return y.reshape(batch, length, *y.shape[1:])
