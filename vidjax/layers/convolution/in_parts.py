"""Work on a part of an array at a time, so that what it needs beside stays small.

A loop's body runs on one core of a CPU, so that few parts are written out one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

_WRITTEN_OUT = 8


def parts(rows: int, scratch: int, most: int) -> int:
    """The least number of equal parts of `rows` whose share of `scratch` is at most `most`."""
    return next(
        (n for n in range(1, rows + 1) if rows % n == 0 and scratch <= n * most), max(rows, 1)
    )


def mapped(compute: Callable[[jax.Array], jax.Array], x: jax.Array, count: int) -> jax.Array:
    """`compute` of each of `count` parts of `x` along its first axis, in its order again."""
    if count == 1:
        return compute(x)
    split = _split(x, count)
    if count <= _WRITTEN_OUT:
        y = jnp.stack([compute(part) for part in split])
    else:
        y = lax.map(compute, split)
    return y.swapaxes(0, 1).reshape(-1, *y.shape[2:])


def summed(
    compute: Callable[..., jax.Array], arrays: tuple[jax.Array, ...], count: int
) -> jax.Array:
    """The sum of `compute` over `count` parts of the arrays along their first axes."""
    if count == 1:
        return compute(*arrays)
    split = tuple(_split(array, count) for array in arrays)
    if count <= _WRITTEN_OUT:
        total = compute(*(array[0] for array in split))
        for part in range(1, count):
            total = total + compute(*(array[part] for array in split))
        return total

    def add(total: jax.Array, part: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        return total + compute(*part), None

    result = jax.eval_shape(compute, *(array[0] for array in split))
    return lax.scan(add, jnp.zeros(result.shape, result.dtype), split)[0]


def _split(array: jax.Array, count: int) -> jax.Array:
    """Parts of every `count`-th: of rows that lie on several devices, each part has some of all."""
    return array.reshape(-1, count, *array.shape[1:]).swapaxes(0, 1)
