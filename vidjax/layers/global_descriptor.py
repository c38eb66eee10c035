"""Compact global descriptors (CGD): channels weighted by means and maxima over the clip.

He et al., Compact Global Descriptor for Neural Networks, 2019. This follows the authors' code, in
which both weights contain the softmax of the means.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.pooling import global_avg_pool


class GlobalDescriptor(nn.Module):
    """Multiplies channels by `1 + tanh((y1.w2) y0 + b2)`.

    With means a, maxima m and s = softmax(a), y0 = tanh((a.w0) s + b0), y1 = tanh((m.w1) s + b1).
    """

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape."""
        del train
        means = global_avg_pool(x)
        maxima = jnp.max(x, (1, 2, 3)).astype(jnp.float32)
        shares = nn.softmax(means)
        first = self._weigh(0, means, shares)
        second = self._weigh(1, maxima, shares)
        factors = 1 + self._weigh(2, second, first)
        return x * broadcast_like(factors[:, None, None, None].astype(x.dtype), x)

    def _weigh(self, number: int, own: jax.Array, shares: jax.Array) -> jax.Array:
        channels = own.shape[-1]
        init: Any = nn.initializers.xavier_uniform()
        weights = self.param(f"w{number}", init, (channels, 1))
        bias = self.param(f"bias{number}", nn.initializers.zeros, (channels,))
        return jnp.tanh((own @ weights) * shares + bias)
