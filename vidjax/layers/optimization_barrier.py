"""Keeping XLA from computing a result more than once."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax


def apart(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """`compute(*arrays)`, once: XLA fuses cheap operations into every reader of their result.

    A barrier does not keep it from that, but a branch does. No number takes the other one, which
    XLA does not see.
    """
    if jax.default_backend() != "cpu":
        # There the branch would cost more than the repetition.
        return compute(*arrays)
    result = jax.eval_shape(compute, *arrays)

    def other(*arrays: jax.Array) -> jax.Array:
        number = math.prod(array.ravel()[0] for array in arrays)
        return jnp.broadcast_to(number, result.shape).astype(result.dtype)

    number = arrays[-1].ravel()[0]
    return lax.cond(jnp.isnan(number) & jnp.isinf(number), other, compute, *arrays)
