"""Computes grouped convolutions as dense ones: one per group, or one for several small groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.convolution.problem import Problem

# Groups with fewer channels are convolved together, by a block-diagonal kernel.
_GROUP_CHANNELS = 8
Convolve = Callable[[Problem, jax.Array, jax.Array], jax.Array]


def convolve(problem: Problem, x: jax.Array, kernel: jax.Array, dense: Convolve) -> jax.Array:
    """Applies the convolution `dense` to each group, or to several small groups together.

    Multiplying the zeros between groups costs time, but too few channels would leave most of the
    processor's vectors empty.
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
    """Maps `[..., C/g, O]` to `[..., C, O]`, with zeros between channels of different groups."""
    blocks = kernel.reshape(*kernel.shape[:4], groups, -1)
    spread = jnp.einsum("thwcgo,gk->thwkcgo", blocks, jnp.eye(groups, dtype=kernel.dtype))
    return spread.reshape(*kernel.shape[:3], groups * kernel.shape[3], kernel.shape[4])
