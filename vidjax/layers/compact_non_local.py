"""Compact generalised non-local blocks (CGNL): attention between all positions and channels.

Yue et al., NeurIPS 2018, section 3.2, with the dot product as its kernel. The sum over all pairs
then reduces to one number per group of channels.
"""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv

_kernel_init = nn.initializers.normal(0.01)


class CompactNonLocal(nn.Module):
    """Adds `z(<p, g> t)` for each group of channels, followed by a group norm.

    The product grows with the number of positions, and the norm removes that scale; it is computed
    in float32.

    Attributes:
      channel_groups: number of groups of channels.
      zero_init: initialise the norm's scale to zero, so that the block starts as the identity (the
        authors' choice for a single block).
    """

    channel_groups: int = 8
    zero_init: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape.

        Raises:
          ValueError: half of the channels is not divisible by the groups.
        """
        del train
        channels, inner = x.shape[-1], x.shape[-1] // 2
        if inner % self.channel_groups:
            raise ValueError(
                f"cgnl channel_groups = {self.channel_groups}: half of {channels} channels is not "
                "divisible by it"
            )
        conv = functools.partial(Conv, kernel_size=(1, 1, 1), kernel_init=_kernel_init)
        t, p, g = (conv(inner, name=name)(x) for name in ("query", "key", "value"))
        shape = (*x.shape[:-1], self.channel_groups, inner // self.channel_groups)
        p, g = (own.reshape(shape).astype(jnp.float32) for own in (p, g))
        products = jnp.einsum("bthwgc,bthwgc->bg", p, g)
        y = t.reshape(shape) * products[:, None, None, None, :, None].astype(t.dtype)
        y = conv(channels, groups=self.channel_groups, name="expand")(y.reshape(t.shape))
        scale = nn.initializers.zeros if self.zero_init else nn.initializers.ones
        norm = nn.GroupNorm(self.channel_groups, epsilon=1e-5, scale_init=scale, name="norm")
        return x + norm(y).astype(x.dtype)
