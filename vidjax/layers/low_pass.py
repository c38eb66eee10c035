"""The low-frequency part of features: local means over windows (RMS paper, eq. 1 and 2).

Windows are separable, so each axis is summed separately. With the border `clip`, the weights of
positions outside are redistributed to those inside. A clip of one frame is an image without
neighbours in time, so its windows extend only along H and W, whatever the border.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from vidjax.layers.lowering import resolve
from vidjax.layers.optimization_barrier import compute_once

Factor = jax.Array | float
BORDERS = ("clip", "zero", "replicate")
# For each border, the border whose sum is its transpose, if that is another one.
TRANSPOSED = {"replicate": "fold"}


def window_weights(size: int, std: float | None) -> np.ndarray:
    """Returns the weights of a window along one axis, with sum 1: equal, or Gaussian.

    The Gaussian is exp(-d^2 / 2 std^2).

    Raises:
      ValueError: the size is even, or the deviation is not positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a window of {size}: expected an odd number, so that it has a middle")
    if std is not None and std <= 0:
        raise ValueError(f"a Gaussian of deviation {std}: expected a positive number")
    distance = np.arange(size) - size // 2
    weights = np.ones(size) if std is None else np.exp(-(distance**2) / (2 * std**2))
    return weights / weights.sum()


def low_pass(
    x: jax.Array,
    window: Sequence[int] = (3, 3, 3),
    std: float | None = None,
    border: str = "clip",
) -> jax.Array:
    """Averages the neighbourhood of each position; the output has the size of the features.

    Args:
      x: `[B, T, H, W, C]`.
      window: window along T, H, W; odd numbers.
      std: standard deviation of a Gaussian window, in positions; None weights positions equally.
      border: `clip` averages only the positions inside, `zero` counts those outside as zeros,
        `replicate` as the nearest position inside.

    Raises:
      ValueError: a window is even, the deviation is not positive, or the border is unknown.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.low_pass import low_pass
      >>> x = jnp.array([0.0, 3.0, 6.0]).reshape(1, 1, 1, 3, 1)
      >>> low_pass(x, (1, 1, 3)).squeeze().tolist()
      [1.5, 3.0, 4.5]
    """
    window = _window(x, window)
    total = _sums(x, (1, 2, 3), window, std, border)
    return total * _shares(x, window, std) if border == "clip" else total


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def scale_parts(
    x: jax.Array,
    low: Factor,
    high: Factor,
    window: Sequence[int] = (3, 3, 3),
    std: float | None = None,
    border: str = "clip",
) -> jax.Array:
    """Multiplies the low-frequency part by `low`, and the rest by `high`; 1 and 1 give x itself.

    Args:
      x: `[B, T, H, W, C]`.
      low: a scalar or `[B, 1, 1, 1, 1]`; it gets no gradient.
      high: a scalar or `[B, 1, 1, 1, 1]`; it gets no gradient.
      window: as in `low_pass`.
      std: as in `low_pass`.
      border: as in `low_pass`.
    """
    window = _window(x, window)

    def combine(x: jax.Array, sums: jax.Array) -> jax.Array:
        means = _sum(sums, 3, window, std, border)
        if border == "clip":
            means = means * _shares(x, window, std)
        return _factor(high, x) * x + _factor(low - high, x) * means

    # The last axis is summed in the pass that combines both parts, which saves a pass over x.
    return _once(combine, x, _sums(x, (1, 2), window, std, border))


def _scale_fwd(
    x: jax.Array, low: Factor, high: Factor, window: Sequence[int], std: float | None, border: str
) -> tuple[jax.Array, tuple[Factor, Factor]]:
    return scale_parts(x, low, high, window, std, border), (low, high)


def _scale_bwd(
    window: Sequence[int],
    std: float | None,
    border: str,
    saved: tuple[Factor, Factor],
    g: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    low, high = saved
    window = _window(g, window)
    weighted = _factor(low - high, g) * g
    if border == "clip":
        weighted = weighted * _shares(g, window, std)

    # Windows are symmetric, so a sum is its own transpose except at the border.
    back = TRANSPOSED.get(border, border)

    def combine(g: jax.Array, sums: jax.Array) -> jax.Array:
        return _factor(high, g) * g + _sum(sums, 3, window, std, back)

    dx = _once(combine, g, _sums(weighted, (1, 2), window, std, back))
    return dx, jnp.zeros_like(low), jnp.zeros_like(high)


scale_parts.defvjp(_scale_fwd, _scale_bwd)


def _window(x: jax.Array, window: Sequence[int]) -> tuple[int, ...]:
    """Returns the window for features; it is flat if there is a single frame."""
    return (1, *window[1:]) if x.shape[1] == 1 else tuple(window)


def _factor(factor: Factor, x: jax.Array) -> jax.Array:
    return jnp.asarray(factor, x.dtype)


def _sums(
    x: jax.Array, axes: Sequence[int], window: Sequence[int], std: float | None, border: str
) -> jax.Array:
    """Computes weighted sums along some axes, each in a separate pass."""
    if border not in (*BORDERS, *TRANSPOSED.values()):
        raise ValueError(f"border = {border!r}: one of {', '.join(BORDERS)}")
    for axis in axes:
        if window[axis - 1] > 1:
            along = functools.partial(_sum, axis=axis, window=window, std=std, border=border)
            x = _once(along, x)
    return x


def _sum(
    x: jax.Array, axis: int, window: Sequence[int], std: float | None, border: str
) -> jax.Array:
    weights = window_weights(window[axis - 1], std)
    reach = len(weights) // 2
    if border == "fold":
        # Sums at positions outside belong to the edge position that they repeat.
        pads = [(reach, reach) if place == axis else (0, 0) for place in range(x.ndim)]
        wide = _sum(jnp.pad(x, pads), axis, window, std, "zero")
        before, inside, after = jnp.split(wide, [reach, reach + x.shape[axis]], axis)
        first = [slice(None)] * axis + [slice(0, 1)]
        last = [slice(None)] * axis + [slice(-1, None)]
        inside = inside.at[tuple(first)].add(before.sum(axis, keepdims=True))
        return inside.at[tuple(last)].add(after.sum(axis, keepdims=True))
    shifts = range(-reach, reach + 1)
    parts = (_shift(x, axis, by, border) * w for by, w in zip(shifts, weights, strict=True))
    return functools.reduce(jnp.add, parts).astype(x.dtype)


def _shift(x: jax.Array, axis: int, by: int, border: str) -> jax.Array:
    """Shifts an axis by a number of positions, with zeros or the edge value beyond the border."""
    length = x.shape[axis]
    by = max(-length, min(length, by))
    kept = lax.slice_in_dim(x, max(by, 0), length + min(by, 0), axis=axis)
    edge = lax.slice_in_dim(x, *((length - 1, length) if by > 0 else (0, 1)), axis=axis)
    beyond = jnp.repeat(edge if border == "replicate" else jnp.zeros_like(edge), abs(by), axis)
    return jnp.concatenate([kept, beyond] if by > 0 else [beyond, kept], axis)


def _shares(x: jax.Array, window: Sequence[int], std: float | None) -> jax.Array:
    """Returns the factors that turn sums into means over the positions inside."""
    shares = np.ones(())
    for size, length in zip(window, x.shape[1:4], strict=True):
        inside = np.convolve(np.ones(length), window_weights(size, std))
        shares = np.multiply.outer(shares, 1 / inside[size // 2 : size // 2 + length])
    return jnp.asarray(shares[..., None], x.dtype)


def _once(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Separates passes on a CPU, where fusing them into each other and all readers is slower."""
    return compute_once(compute, *arrays) if resolve("auto") == "cpu" else compute(*arrays)
