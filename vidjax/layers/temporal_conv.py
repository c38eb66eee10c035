"""A convolution over time with dilation."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv


class TemporalConv(nn.Module):
    """Convolves frames that are `dilation` apart, zero-padded to the same length.

    Attributes:
      features: output channels.
      frames: temporal kernel size.
      dilation: distance between neighbouring frames of the kernel.
    """

    features: int
    frames: int
    dilation: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, features]`."""
        # Frames that are `dilation` apart form a clip of their own, in which the kernel is dense.
        batch, time, *rest = x.shape
        missing = -time % self.dilation
        x = jnp.pad(x, [(0, 0), (0, missing), (0, 0), (0, 0), (0, 0)])
        length = x.shape[1] // self.dilation
        x = x.reshape(batch, length, self.dilation, *rest).swapaxes(1, 2)
        conv = Conv(self.features, (self.frames, 1, 1), name="conv")
        y = conv(x.reshape(batch * self.dilation, length, *rest))
        y = y.reshape(batch, self.dilation, *y.shape[1:]).swapaxes(1, 2)
        return y.reshape(batch, -1, *y.shape[3:])[:, :time]
