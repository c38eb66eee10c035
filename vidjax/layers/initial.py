"""Initial values that are drawn by one kernel for all parameters of a shape.

A network has many parameters of few shapes. XLA compiles a computation that comes again once, but
folds a parameter's own random key into its computation, and then no two are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

Initializer = nn.initializers.Initializer


def shared(initializer: Initializer) -> Initializer:
    """The same initialiser, the same numbers; its key is an input of what is compiled."""

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        data = lax.optimization_barrier(jax.random.key_data(key))
        key = jax.random.wrap_key_data(data, impl=jax.random.key_impl(key))
        drawn: jax.Array = initializer(key, shape, dtype)
        return drawn

    return draw


# He et al. 2015, eq. 14, over the outputs: what the residual networks here start from.
kaiming_normal = shared(nn.initializers.variance_scaling(2.0, "fan_out", "normal"))


def uniform(bound: float) -> Initializer:
    """Numbers between -bound and bound, all as likely."""

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return shared(draw)
