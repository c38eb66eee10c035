"""Stops XLA from computing a result more than once, as an optimisation barrier should."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax


def compute_once(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Computes `compute(*arrays)` once, although XLA fuses cheap operations into every reader.

    `lax.optimization_barrier` does not prevent this fusion, but a branch does. The other side of
    the branch is never taken, which XLA cannot know.
    """
    if jax.default_backend() != "cpu":
        # On other backends the branch would cost more than the repetition.
        return compute(*arrays)
    result = jax.eval_shape(compute, *arrays)

    def other(*arrays: jax.Array) -> jax.Array:
        number = math.prod(array.ravel()[0] for array in arrays)
        return jnp.broadcast_to(number, result.shape).astype(result.dtype)

    number = arrays[-1].ravel()[0]
    return lax.cond(jnp.isnan(number) & jnp.isinf(number), other, compute, *arrays)
