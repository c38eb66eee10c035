"""Convolutions of channels by themselves and in groups, for the CPU.

Channel by channel it is shifted multiply-adds, group by group one dense convolution each.

The kernel's gradient keeps sums per column of the picture until the end: adding them up over
the width at once would be a chain of scalar additions, while this is one of vectors.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]

# Groups of fewer channels are convolved together, with zeros between them.
_GROUP_CHANNELS = 8


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


def apart(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """`compute(*arrays)`, once: XLA fuses cheap operations into every reader of their result.

    A barrier does not keep it from that, but a branch does. No number takes the other one, which
    XLA does not see.
    """
    result = jax.eval_shape(compute, *arrays)

    def other(*arrays: jax.Array) -> jax.Array:
        number = math.prod(array.ravel()[0] for array in arrays)
        return jnp.broadcast_to(number, result.shape).astype(result.dtype)

    number = arrays[-1].ravel()[0]
    return lax.cond(jnp.isnan(number) & jnp.isinf(number), other, compute, *arrays)


def grouped(
    x: jax.Array,
    kernel: jax.Array,
    groups: int,
    convolve: Callable[[jax.Array, jax.Array], jax.Array],
) -> jax.Array:
    """`convolve` for each group by itself, groups of few channels some at a time.

    Zeros between groups cost their products; too few channels fill the processor's vectors badly.
    """
    most = max(1, _GROUP_CHANNELS // kernel.shape[3])
    together = max(size for size in range(1, most + 1) if groups % size == 0)
    parts = groups // together
    inputs = jnp.moveaxis(x.reshape(*x.shape[:4], parts, -1), 4, 0)
    kernels = jnp.moveaxis(kernel.reshape(*kernel.shape[:4], parts, -1), 4, 0)

    def some(part: tuple[jax.Array, jax.Array]) -> jax.Array:
        return convolve(part[0], _block_diagonal(part[1], together))

    y = jnp.moveaxis(lax.map(some, (inputs, kernels)), 0, 4)
    return y.reshape(*y.shape[:4], -1)


def _block_diagonal(kernel: jax.Array, groups: int) -> jax.Array:
    """`[..., C/g, O]` to `[..., C, O]`: zero where input and output are of different groups."""
    blocks = kernel.reshape(*kernel.shape[:4], groups, -1)
    spread = jnp.einsum("thwcgo,gk->thwkcgo", blocks, jnp.eye(groups, dtype=kernel.dtype))
    return spread.reshape(*kernel.shape[:3], groups * kernel.shape[3], kernel.shape[4])


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


def pad(x: jax.Array, pads: Pads) -> jax.Array:
    """Pads T, H, W with zeros; negative padding cuts."""
    if not any(side for axis in pads for side in axis):
        return x
    config = [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)
