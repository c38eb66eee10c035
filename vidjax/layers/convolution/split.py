"""Groups: one dense convolution a group, small groups together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.problem import Problem

# Groups of fewer channels are convolved together, with zeros between them.
_GROUP_CHANNELS = 8
Convolve = Callable[[Problem, jax.Array, jax.Array], jax.Array]


def convolve(problem: Problem, x: jax.Array, kernel: jax.Array, dense: Convolve) -> jax.Array:
    """`dense` for each group by itself, groups of few channels some at a time.

    Zeros between groups cost their products; too few channels fill the processor's vectors badly.
    """
    groups, channels = problem.groups, problem.kernel[3]
    most = max(1, _GROUP_CHANNELS // channels)
    together = max(size for size in range(1, most + 1) if groups % size == 0)
    parts = groups // together
    inputs = jnp.moveaxis(x.reshape(*x.shape[:4], parts, -1), 4, 0)
    kernels = jnp.moveaxis(kernel.reshape(*kernel.shape[:4], parts, -1), 4, 0)
    part = dataclasses.replace(
        problem,
        shape=inputs.shape[1:],
        kernel=(*problem.kernel[:3], together * channels, problem.outputs // parts),
        groups=1,
    )

    def some(arrays: tuple[jax.Array, jax.Array]) -> jax.Array:
        return dense(part, arrays[0], _block_diagonal(arrays[1], together))

    y = jnp.moveaxis(lax.map(some, (inputs, kernels)), 0, 4)
    return y.reshape(*y.shape[:4], -1)


def _block_diagonal(kernel: jax.Array, groups: int) -> jax.Array:
    """`[..., C/g, O]` to `[..., C, O]`: zero where input and output are of different groups."""
    blocks = kernel.reshape(*kernel.shape[:4], groups, -1)
    spread = jnp.einsum("thwcgo,gk->thwkcgo", blocks, jnp.eye(groups, dtype=kernel.dtype))
    return spread.reshape(*kernel.shape[:3], groups * kernel.shape[3], kernel.shape[4])
