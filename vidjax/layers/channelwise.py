"""Convolutions of each channel by itself, alone and after a mixing of the channels.

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
    """A convolution with as many groups as channels: the middle of an ir-CSN bottleneck."""
    return Conv(features, kernel_size, strides, groups=features, name=name)


class InteractionPreserved(nn.Module):
    """1x1x1 convolution, norm, channel-wise convolution: the middle of an ip-CSN bottleneck.

    Attributes:
      features: channels of both.
      kernel_size: of the channel-wise convolution.
      strides: of the channel-wise convolution.
      norm: factory of the norm in between.
      act: activation after that norm; None, as published, is none.
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
