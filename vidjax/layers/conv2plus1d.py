"""A 3D convolution factorised into one over space and one over time: (2+1)D.

Tran et al.: A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018,
section 3.5.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm

Triple = tuple[int, int, int]


def mid_channels(inputs: int, outputs: int, space: int = 3) -> int:
    """Channels between the two parts that keep the parameters of the full convolution.

    Tran et al., section 3.5: floor(t d^2 i o / (d^2 i + t o)), with t = 3 as in all published
    networks, also around kernels that are not 3 long.

    Args:
      inputs: channels that go in, i.
      outputs: channels that come out, o.
      space: kernel's extent in space, d.
    """
    area = space**2
    return 3 * area * inputs * outputs // (area * inputs + 3 * outputs)


class Conv2Plus1D(nn.Module):
    """Convolution over space, norm, activation, convolution over time.

    Attributes:
      features: output channels.
      kernel_size: along T, H, W, of both parts together.
      strides: along T, H, W: those of space belong to the part over space.
      mid: channels in between; None is `mid_channels` of the convolution itself.
      time_first: do the part over time before that over space.
      norm: factory of the norm in between.
      padding: of both parts, as in `Conv`; None is half a kernel on both sides.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    mid: int | None = None
    time_first: bool = False
    norm: Any = BatchNorm
    padding: str | None = None
    composed = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        mid = self.mid or mid_channels(x.shape[-1], self.features, self.kernel_size[1])
        parts = [
            ("space", (1, *self.kernel_size[1:]), (1, *self.strides[1:])),
            ("time", (self.kernel_size[0], 1, 1), (self.strides[0], 1, 1)),
        ]
        first, second = reversed(parts) if self.time_first else parts
        y = Conv(mid, first[1], first[2], self.padding, name=first[0])(x)
        y = nn.relu(self.norm(name="norm")(y, train=train))
        return Conv(self.features, second[1], second[2], self.padding, name=second[0])(y)
