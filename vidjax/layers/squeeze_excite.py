"""Squeeze-and-excitation: channels weighted by means over the clip (Hu et al., CVPR 2018)."""

from __future__ import annotations

import flax.linen as nn
import jax

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.pooling import global_avg_pool


class SqueezeExcite(nn.Module):
    """Multiplies channels by sigmoid(W2 relu(W1 mean)).

    Attributes:
      width: channels between the two linear layers.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape; the mean is over T, H and W."""
        del train
        squeezed = nn.relu(nn.Dense(self.width, name="reduce")(global_avg_pool(x)))
        weights = nn.sigmoid(nn.Dense(x.shape[-1], name="expand")(squeezed))
        return x * broadcast_like(weights[:, None, None, None], x)
