"""Self-gating: channels weighted by a linear layer of their means (Xie et al., ECCV 2018, 4.5)."""

from __future__ import annotations

import flax.linen as nn
import jax

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.pooling import global_avg_pool


class SelfGating(nn.Module):
    """Multiplies channels by sigmoid(W mean + b).

    Attributes:
      use_bias: whether to add b.
    """

    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape; the mean is over T, H and W."""
        dense = nn.Dense(x.shape[-1], use_bias=self.use_bias, name="weigh")
        return x * broadcast_like(nn.sigmoid(dense(global_avg_pool(x)))[:, None, None, None], x)
