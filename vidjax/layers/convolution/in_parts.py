"""Processes an array in parts, so that temporary arrays stay small.

XLA runs the body of a loop on a single CPU core. So a few parts are unrolled instead.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

_UNROLLED = 8


def parts(rows: int, scratch: int, most: int) -> int:
    """Returns the least number of equal parts whose temporary arrays are small enough.

    Args:
      rows: number of rows to divide.
      scratch: temporary elements that all rows need together.
      most: largest number of temporary elements of a part.
    """
    return next(
        (n for n in range(1, rows + 1) if rows % n == 0 and scratch <= n * most), max(rows, 1)
    )


def mapped(compute: Callable[[jax.Array], jax.Array], x: jax.Array, count: int) -> jax.Array:
    """Applies `compute` to `count` parts of `x` along its first axis, and joins the results."""
    if count == 1:
        return compute(x)
    split = _split(x, count)
    if count <= _UNROLLED:
        y = jnp.stack([compute(part) for part in split])
    else:
        y = lax.map(compute, split)
    return y.swapaxes(0, 1).reshape(-1, *y.shape[2:])


def summed(
    compute: Callable[..., jax.Array], arrays: tuple[jax.Array, ...], count: int
) -> jax.Array:
    """Applies `compute` to `count` parts of the arrays along their first axes, and adds results."""
    if count == 1:
        return compute(*arrays)
    split = tuple(_split(array, count) for array in arrays)
    if count <= _UNROLLED:
        total = compute(*(array[0] for array in split))
        for part in range(1, count):
            total = total + compute(*(array[part] for array in split))
        return total

    def add(total: jax.Array, part: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        return total + compute(*part), None

    result = jax.eval_shape(compute, *(array[0] for array in split))
    return lax.scan(add, jnp.zeros(result.shape, result.dtype), split)[0]


def _split(array: jax.Array, count: int) -> jax.Array:
    """Splits rows with a step of `count`, so that each part has rows of every device."""
    return array.reshape(-1, count, *array.shape[1:]).swapaxes(0, 1)
