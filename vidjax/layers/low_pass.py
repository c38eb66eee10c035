"""The low-frequency part of features: means over windows of 3 (RMS paper, eq. 1 and 2).

Windows are separable, so each axis is summed by itself; at a border of `clip` the weights of
what lies outside are shared out among the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BORDERS = ("clip", "zero", "replicate")


def window_weights(size: int, std: float | None) -> np.ndarray:
    """Weights of a window along one axis, with sum 1: equal, or Gaussian exp(-d^2 / 2 std^2).

    Raises:
      ValueError: the size is even or the deviation is not positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a window of {size}: an odd number is due, so that it has a middle")
    if std is not None and std <= 0:
        raise ValueError(f"a Gaussian of deviation {std}: a positive number is due")
    distance = np.arange(size) - size // 2
    weights = np.ones(size) if std is None else np.exp(-(distance**2) / (2 * std**2))
    return weights / weights.sum()


def low_pass(
    x: jax.Array,
    window: Sequence[int] = (3, 3, 3),
    std: float | None = None,
    border: str = "clip",
) -> jax.Array:
    """Mean of each position's neighbourhood, of the same size as the features.

    Args:
      x: `[B, T, H, W, C]`.
      window: along T, H, W; odd.
      std: deviation of a Gaussian window, in positions; None weighs all positions the same.
      border: `clip` takes the mean of the positions that are there, `zero` counts those outside
        as zeros, `replicate` as the nearest inside.

    Raises:
      ValueError: a window is even, the deviation not positive, or the border unknown.
    """
    if border not in BORDERS:
        raise ValueError(f"border = {border!r}: one of {', '.join(BORDERS)}")
    for axis, size in enumerate(window, start=1):
        weights = window_weights(size, std)
        if size > 1:
            x = _along(x, axis, weights, border)
    return x


def _along(x: jax.Array, axis: int, weights: np.ndarray, border: str) -> jax.Array:
    length, reach = x.shape[axis], len(weights) // 2
    config = [(0, 0)] * x.ndim
    config[axis] = (reach, reach)
    padded = jnp.pad(x, config, mode="edge" if border == "replicate" else "constant")
    shifted = [
        lax.slice_in_dim(padded, tap, tap + length, axis=axis) for tap in range(len(weights))
    ]
    total = shifted[0] * weights[0].astype(x.dtype)
    for part, weight in zip(shifted[1:], weights[1:], strict=True):
        total = total + part * weight.astype(x.dtype)
    if border != "clip":
        return total
    inside = np.convolve(np.ones(length), weights[::-1])[reach : reach + length]
    shape = [1] * x.ndim
    shape[axis] = length
    return total * jnp.asarray((1 / inside).reshape(shape), x.dtype)
