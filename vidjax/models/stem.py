"""The stem of residual networks: a convolution and a max-pool, spatial or spatio-temporal."""

from __future__ import annotations

import flax.linen as nn
import jax

from vidjax.layers.pooling import max_pool
from vidjax.models.blocks import Factories
from vidjax.slots.block import Triple

POOL: tuple[Triple, Triple] = ((3, 3, 3), (2, 2, 2))
POOL_SPACE: tuple[Triple, Triple] = ((1, 3, 3), (1, 2, 2))


class Stem(nn.Module):
    """A convolution with spatial stride 2, a norm, an activation and a max-pool.

    Attributes:
      features: channels of the output.
      kernel_size: kernel size of the convolution.
      factories: factories of the layers.
      strides: strides of the convolution.
      pool: window, strides and, if not half a window, padding of the max-pool; None for none.
    """

    features: int
    kernel_size: Triple
    factories: Factories
    strides: Triple = (1, 2, 2)
    pool: tuple[Triple, ...] | None = POOL

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, 3]` to `[B, T', H', W', features]`."""
        conv = self.factories.conv(self.features, self.kernel_size, self.strides, name="conv")
        x = conv(x, train=train) if getattr(conv, "composed", False) else conv(x)
        x = self.factories.act(self.factories.norm(name="norm")(x, train=train))
        return x if self.pool is None else max_pool(x, *self.pool)
