"""Channel-wise 3D convolution for the CPU: shifted multiply-adds.

The kernel's gradient keeps sums per column of the picture until the end: adding them up over
the width at once would be a chain of scalar additions, while this is one of vectors.
"""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.apart import apart
from vidjax.layers.padding import pad

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    """Convolves each of C channels `[B, T, H, W, C]` with its own kernel `[kt, kh, kw, 1, C]`."""
    return _forward(x, kernel, strides, pads)


def _conv_fwd(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _forward(x, kernel, strides, pads), (x, kernel)


def _conv_bwd(
    strides: Triple, pads: Pads, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    config = [(0, 0, 0)]
    for axis in range(3):
        before = kernel.shape[axis] - 1 - pads[axis][0]
        spread = (g.shape[axis + 1] - 1) * strides[axis] + 1
        after = x.shape[axis + 1] + kernel.shape[axis] - 1 - before - spread
        config.append((before, after, strides[axis] - 1))
    spread_g = lax.pad(g, jnp.zeros((), g.dtype), [*config, (0, 0, 0)])
    dx = _forward(spread_g, kernel[::-1, ::-1, ::-1], (1, 1, 1), ((0, 0),) * 3)
    return dx, _kernel_gradient(x, kernel, strides, pads, g)


conv.defvjp(_conv_fwd, _conv_bwd)


def _forward(x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads) -> jax.Array:
    x = pad(x, pads)
    size = [(x.shape[a + 1] - kernel.shape[a]) // strides[a] + 1 for a in range(3)]

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        total = jnp.zeros((), jnp.float32)
        for tap in itertools.product(*map(range, kernel.shape[:3])):
            total = total + _shifted(x, tap, size, strides) * kernel[tap][0]
        return total.astype(x.dtype)

    return apart(convolve, x, kernel)


def _kernel_gradient(
    x: jax.Array, kernel: jax.Array, strides: Triple, pads: Pads, g: jax.Array
) -> jax.Array:
    x = pad(x, pads)
    kt, kh, kw = kernel.shape[:3]
    batch, length, height, width, channels = g.shape
    st, sh, sw = strides
    rows = batch * length * height

    def add(row: jax.Array, totals: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        n, rest = jnp.divmod(row, length * height)
        t, h = jnp.divmod(rest, height)
        gradient = lax.dynamic_slice(g, (n, t, h, 0, 0), (1, 1, 1, width, channels))
        window = lax.dynamic_slice(x, (n, t * st, h * sh, 0, 0), (1, kt, kh, x.shape[3], channels))
        return tuple(
            total
            + lax.slice_in_dim(window, j, j + (width - 1) * sw + 1, sw, axis=3)[0].astype(
                jnp.float32
            )
            * gradient[0].astype(jnp.float32)
            for j, total in enumerate(totals)
        )

    start = tuple(jnp.zeros((kt, kh, width, channels), jnp.float32) for _ in range(kw))
    totals = lax.fori_loop(0, rows, add, start)
    gradient = jnp.stack([total.sum(axis=2) for total in totals], axis=2)
    return gradient[:, :, :, None].astype(kernel.dtype)


def _shifted(x: jax.Array, tap: tuple[int, ...], size: list[int], strides: Triple) -> jax.Array:
    for axis in range(3):
        stop = tap[axis] + (size[axis] - 1) * strides[axis] + 1
        x = lax.slice_in_dim(x, tap[axis], stop, strides[axis], axis=axis + 1)
    return x
