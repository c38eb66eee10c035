"""Temporal adaptive module: temporal kernels computed from the clip (Liu et al., ICCV 2021, 3).

Its weights fit one number of frames, because the global branch has a matrix over time.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.conv import kaiming_normal
from vidjax.layers.norm import BatchNorm


class TemporalAdaptive(nn.Module):
    """Weights positions in time (local branch), then convolves over time (global branch).

    Local: sigmoid of two convolutions over time, one weight for each frame and channel.
    Global: softmax over the taps of two matrices over time, one kernel of three taps for each
    clip and channel. Both read the mean of each frame over space.

    Attributes:
      norm: factory of the norms in both branches.
    """

    norm: Any = BatchNorm

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape."""
        frames = jnp.mean(x, axis=(2, 3), dtype=jnp.float32)
        weights = broadcast_like(self._local(frames, train=train)[:, :, None, None], x)
        taps = self._global(frames, train=train)[:, :, None, None, None]
        padded = jnp.pad(x * weights, [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)])
        length = x.shape[1]
        shifted = [
            padded[:, tap : tap + length] * broadcast_like(taps[:, tap], x) for tap in range(3)
        ]
        return shifted[0] + shifted[1] + shifted[2]

    def _local(self, frames: jax.Array, *, train: bool) -> jax.Array:
        """Maps means `[B, T, C]` to weights in (0, 1) `[B, T, C]`."""
        channels = frames.shape[-1]
        shape = (3, channels, channels // 4)
        kernel = self.param("local_kernel1", kaiming_normal, shape)
        padded = jnp.pad(frames, [(0, 0), (1, 1), (0, 0)])
        hidden = sum(padded[:, tap : tap + frames.shape[1]] @ kernel[tap] for tap in range(3))
        hidden = nn.relu(self.norm(name="local_norm")(hidden, train=train))
        return nn.sigmoid(nn.Dense(channels, use_bias=False, name="local2")(hidden))

    def _global(self, frames: jax.Array, *, train: bool) -> jax.Array:
        """Maps means `[B, T, C]` to kernels `[B, 3, C]` whose taps sum to 1."""
        by_channel = frames.transpose(0, 2, 1)
        length = frames.shape[1]
        hidden = nn.Dense(2 * length, use_bias=False, name="global1")(by_channel)
        hidden = nn.relu(self.norm(name="global_norm")(hidden, train=train))
        taps = nn.Dense(3, use_bias=False, name="global2")(hidden)
        return nn.softmax(taps).transpose(0, 2, 1)
