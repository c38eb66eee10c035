"""Channel-wise (depthwise) convolutions, alone and after a 1x1x1 convolution.

Tran et al.: Video Classification with Channel-Separated Convolutional Networks, ICCV 2019,
section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm

Triple = tuple[int, int, int]


def channelwise(
    features: int, kernel_size: Triple, strides: Triple = (1, 1, 1), *, name: str | None = None
) -> Conv:
    """Makes a depthwise convolution, one group per channel: the middle of an ir-CSN bottleneck."""
    return Conv(features, kernel_size, strides, groups=features, name=name)


class InteractionPreserved(nn.Module):
    """A 1x1x1 convolution, a norm and a depthwise convolution: the middle of an ip-CSN bottleneck.

    Attributes:
      features: output channels of both convolutions.
      kernel_size: kernel size of the depthwise convolution.
      strides: strides of the depthwise convolution.
      norm: factory of the norm between the convolutions.
      act: activation after that norm; None, as published, means none.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    norm: Any = BatchNorm
    act: Callable[[jax.Array], jax.Array] | None = None
    composed = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        y = Conv(self.features, (1, 1, 1), name="point")(x)
        y = self.norm(name="norm")(y, train=train)
        y = y if self.act is None else self.act(y)
        return channelwise(self.features, self.kernel_size, self.strides, name="channelwise")(y)
