"""Pooling: max-pooling with a deterministic gradient, and global average pooling."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from vidjax.layers.lowering import forced

Pad = tuple[int, int]


def max_pool(
    x: jax.Array,
    window: Sequence[int],
    strides: Sequence[int],
    padding: str | Sequence[int | Pad] | None = None,
    *,
    lowering: str = "auto",
) -> jax.Array:
    """Takes the maximum of each window; padding never wins.

    The gradient of a window goes to its first maximum in the order of T, H, W, on every backend,
    even where the backend's own scatter is not deterministic.

    Args:
      x: `[B, T, H, W, C]`.
      window: window along T, H, W.
      strides: strides along T, H, W.
      padding: padding on both sides of T, H, W, or a (before, after) pair for each; None is window
        // 2. "SAME" is TensorFlow's, which rounds odd sizes up when halving and pads less before
        than after.
      lowering: `lax` keeps the reduction a single primitive; otherwise shifted maxima.

    Returns:
      `[B, T', H', W', C]`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.pooling import max_pool
      >>> max_pool(jnp.zeros((1, 8, 56, 56, 64)), (3, 3, 3), (2, 2, 2)).shape
      (1, 4, 28, 28, 64)
    """
    pads = _pads(padding, x.shape[1:4], window, strides)
    if (forced() if lowering == "auto" else lowering) == "lax":
        full = ((0, 0), *pads, (0, 0))
        # The initial value must be a constant, or JAX cannot differentiate this maximum.
        lowest = np.array(-np.inf, x.dtype)
        return lax.reduce_window(x, lowest, lax.max, (1, *window, 1), (1, *strides, 1), full)
    # Width first, so that ties go to the first element in the order of T, H, W.
    for axis in (2, 1, 0):
        if window[axis] > 1 or strides[axis] > 1:
            x = _max_along(x, axis + 1, window[axis], strides[axis], pads[axis])
    return x


def _pads(
    padding: str | Sequence[int | Pad] | None,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
) -> Sequence[Pad]:
    if isinstance(padding, str):
        return lax.padtype_to_pads(sizes, window, strides, padding)
    pads = padding or [size // 2 for size in window]
    return [(pad, pad) if isinstance(pad, int) else pad for pad in pads]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _max_along(x: jax.Array, axis: int, size: int, stride: int, pad: Pad) -> jax.Array:
    taps = _taps(x, axis, size, stride, pad)
    return functools.reduce(jnp.maximum, taps)


def _taps(x: jax.Array, axis: int, size: int, stride: int, pad: Pad) -> list[jax.Array]:
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (*pad, 0)
    padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), config)
    length = (padded.shape[axis] - size) // stride + 1
    span = (length - 1) * stride + 1
    return [lax.slice_in_dim(padded, tap, tap + span, stride, axis) for tap in range(size)]


def _max_fwd(
    x: jax.Array, axis: int, size: int, stride: int, pad: Pad
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = _max_along(x, axis, size, stride, pad)
    return y, (x, y)


def _max_bwd(
    axis: int,
    size: int,
    stride: int,
    pad: Pad,
    saved: tuple[jax.Array, jax.Array],
    g: jax.Array,
) -> tuple[jax.Array]:
    x, y = saved
    free = jnp.ones(y.shape, bool)
    shares = []
    for value in _taps(x, axis, size, stride, pad):
        chosen = free & (value == y)
        free = free & ~chosen
        shares.append(jnp.where(chosen, g, 0))
    return (_lay_out(shares, axis, stride, pad[0], x.shape[axis]),)


def _lay_out(shares: list[jax.Array], axis: int, stride: int, pad: int, length: int) -> jax.Array:
    """Sums tap j of window i into position i stride + j - pad of an axis of `length`.

    Position m stride + r receives from taps r, r + stride, ... of the windows m, m - 1, ... The sum
    of each phase r is contiguous, and the phases are interleaved at the end.
    """
    reach = -(-len(shares) // stride)
    windows = shares[0].shape[axis]
    phases = []
    for phase in range(stride):
        total = jnp.zeros((), shares[0].dtype)
        for back, share in enumerate(shares[phase::stride]):
            config = [(0, 0, 0)] * share.ndim
            config[axis] = (back, reach - 1 - back, 0)
            total = total + lax.pad(share, jnp.zeros((), share.dtype), config)
        phases.append(jnp.broadcast_to(total, _with(shares[0].shape, axis, windows + reach - 1)))
    laid = jnp.stack(phases, axis=axis + 1)
    laid = laid.reshape(_with(shares[0].shape, axis, (windows + reach - 1) * stride))
    config = [(0, 0, 0)] * laid.ndim
    config[axis] = (-pad, length + pad - laid.shape[axis], 0)
    return lax.pad(laid, jnp.zeros((), laid.dtype), config)


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


_max_along.defvjp(_max_fwd, _max_bwd)


def global_avg_pool(x: jax.Array) -> jax.Array:
    """Averages over time and space, `[B, T, H, W, C]` to float32 `[B, C]`."""
    return jnp.mean(x, axis=(1, 2, 3), dtype=jnp.float32)
