"""What each position sees, copied side by side (im2col): then one matrix product a pass."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.apart import apart
from vidjax.layers.convolution.form import Form
from vidjax.layers.convolution.in_parts import mapped, parts, summed
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.padding import pad

# Elements of the patches in memory at once: 16 MiB of float32.
_ELEMENTS = 2**22
# Past so many elements a kernel's gradient is computed in the order that it lies in memory.
_LARGE_KERNEL = 2**17


def fits(problem: Problem, name: str) -> bool:
    """Dense kernels of more than one tap; the input's gradient of those without stride."""
    if name == "input_gradient" and problem.strided:
        return False
    return problem.kind == "dense" and problem.extent != "point"


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The patches with the kernel."""
    windows = _windows(problem, x)
    matrix = kernel.transpose(1, 2, 0, 3, 4).reshape(-1, problem.outputs)

    def convolve(windows: jax.Array) -> jax.Array:
        rows = _patches(problem, windows)
        return jnp.dot(rows, matrix, preferred_element_type=jnp.float32).astype(x.dtype)

    y = mapped(convolve, windows, _parts(problem))
    return y.reshape(problem.shape[0], *problem.size, problem.outputs)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """The forward pass of the gradient with the mirrored kernel; strides are 1."""
    return forward(problem.mirrored(), g, kernel[::-1, ::-1, ::-1].swapaxes(3, 4))


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """The patches with the result's gradient, contracted over positions.

    With the gradient first the product is the faster one, but comes out turned.
    """
    length, outputs = math.prod(problem.kernel[:4]), problem.outputs
    turned = outputs < length and length * outputs <= _LARGE_KERNEL

    def contract(windows: jax.Array, gradient: jax.Array) -> jax.Array:
        sides = (_patches(problem, windows), gradient.reshape(-1, outputs))
        return lax.dot_general(
            *(sides[::-1] if turned else sides),
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )

    frames = g.reshape(-1, *g.shape[2:])
    gradient = summed(contract, (_windows(problem, x), frames), _parts(problem)).astype(x.dtype)
    # Turned once here; fused into the optimiser it would be read across memory many times.
    gradient = apart(jnp.transpose, gradient) if turned else gradient
    taps, rows, columns = problem.kernel[:3]
    return gradient.reshape(rows, columns, taps, *problem.kernel[3:]).transpose(2, 0, 1, 3, 4)


def _parts(problem: Problem) -> int:
    frames = problem.shape[0] * problem.size[0]
    return parts(frames, problem.positions * math.prod(problem.kernel[:4]), _ELEMENTS)


def _windows(problem: Problem, x: jax.Array) -> jax.Array:
    """The frames that each output frame sees, side by side: `[B * T', H, W, kt * C]`."""
    x = pad(x, problem.pads)
    taps, stride = problem.kernel[0], problem.strides[0]
    span = (problem.size[0] - 1) * stride + 1
    windows = jnp.concatenate([x[:, tap : tap + span : stride] for tap in range(taps)], axis=-1)
    return windows.reshape(-1, *windows.shape[2:])


def _patches(problem: Problem, windows: jax.Array) -> jax.Array:
    """`[n, H, W, kt * C]` to `[n * H' * W', kh * kw * kt * C]`."""
    rows, columns = problem.strides[1:]
    height, width = (problem.size[1] - 1) * rows + 1, (problem.size[2] - 1) * columns + 1
    views = [
        windows[:, top : top + height : rows, left : left + width : columns]
        for top, left in itertools.product(*map(range, problem.kernel[1:3]))
    ]
    patches = jnp.concatenate(views, axis=-1).reshape(-1, len(views) * windows.shape[-1])
    # Without the barrier XLA would compute patches element by element inside the product.
    return lax.optimization_barrier(patches)


FORM = Form(fits, forward, input_gradient, kernel_gradient)
