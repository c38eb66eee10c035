"""Non-local blocks: each position attends to all others (Wang et al., CVPR 2018, section 3)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import max_pool

_WINDOW = (1, 2, 2)


@dataclass(frozen=True)
class Implementation:
    """What differs between public implementations.

    Attributes:
      pool: where keys and values are pooled over space: `before` their convolutions, `after` them,
        or None.
      scaled: whether similarities are divided by the root of the number of channels.
      bias: whether the inner convolutions have a bias.
      last_bias: whether the last convolution has a bias.
    """

    pool: str | None = "before"
    scaled: bool = True
    bias: bool = True
    last_bias: bool = True


IMPLEMENTATIONS: Mapping[str, Implementation] = {
    "wang": Implementation(),
    "mmaction2": Implementation("after", scaled=False, last_bias=False),
    "cgnl": Implementation(None, bias=False, last_bias=False),
}
SIMILARITIES = ("softmax", "dot")
_inner_init = nn.initializers.normal(0.01)


class NonLocal(nn.Module):
    """Adds to each position its attention over frames, rows and columns (eq. 1 and 6).

    Attributes:
      variant: implementation: `wang` (Caffe2, PySlowFast), `mmaction2`, or `cgnl` (Yue et al.).
      similarity: `softmax` of embedded products, or the `dot` product divided by the number of
        positions.
      zero_init: initialise the last norm's scale to zero, so that the block starts as the identity.
    """

    variant: str = "wang"
    similarity: str = "softmax"
    zero_init: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape; similarities are float32."""
        own, channels = IMPLEMENTATIONS[self.variant], x.shape[-1]
        inner = max(1, channels // 2)
        conv = functools.partial(
            Conv, kernel_size=(1, 1, 1), use_bias=own.bias, kernel_init=_inner_init
        )
        queries = conv(inner, name="query")(x)
        before = _halved(x) if own.pool == "before" else x
        keys, values = conv(inner, name="key")(before), conv(inner, name="value")(before)
        if own.pool == "after":
            keys, values = _halved(keys), _halved(values)
        y = _attend(queries, keys, values, self.similarity, scaled=own.scaled)
        y = conv(channels, use_bias=own.last_bias, name="expand")(y)
        scale_init: Any = nn.initializers.zeros if self.zero_init else nn.initializers.ones
        return x + BatchNorm(scale_init=scale_init, name="norm")(y, train=train)


def _halved(x: jax.Array) -> jax.Array:
    return max_pool(x, _WINDOW, _WINDOW, (0, 0, 0))


def _attend(
    queries: jax.Array, keys: jax.Array, values: jax.Array, similarity: str, *, scaled: bool
) -> jax.Array:
    """Computes attention over the values, `[B, T, H, W, C]`."""
    batch, *_, channels = queries.shape
    q, k, v = (own.reshape(batch, -1, channels) for own in (queries, keys, values))
    products = jnp.einsum("bqc,bkc->bqk", q, k, preferred_element_type=jnp.float32)
    if similarity == "dot":
        weights = products / k.shape[1]
    else:
        weights = nn.softmax(products * channels**-0.5 if scaled else products)
    return jnp.einsum("bqk,bkc->bqc", weights.astype(v.dtype), v).reshape(queries.shape)
