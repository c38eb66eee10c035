"""Temporal aggregation: a channel-wise sum of three frames (Fan et al., NeurIPS 2019, 3.2)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import conv3d


class TemporalAggregation(nn.Module):
    """relu(a x[t-1] + b x[t] + c x[t+1]), with a, b, c per channel and zeros beyond the ends."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape."""
        del train
        channels = x.shape[-1]
        init = nn.initializers.normal(1.0)
        taps = [self.param(name, init, (channels,)) for name in ("previous", "current", "next")]
        kernel = jnp.stack(taps).reshape(3, 1, 1, 1, channels).astype(x.dtype)
        return nn.relu(conv3d(x, kernel, groups=channels))
