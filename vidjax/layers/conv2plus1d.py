"""(2+1)D convolutions: a 3D convolution factorised into a spatial and a temporal one.

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
    """Returns the middle channels that keep the number of parameters of the full convolution.

    Tran et al., section 3.5: floor(t d^2 i o / (d^2 i + t o)), with t = 3 as in all published
    networks, even for kernels with another temporal size.

    Args:
      inputs: input channels, i.
      outputs: output channels, o.
      space: spatial kernel size, d.
    """
    area = space**2
    return 3 * area * inputs * outputs // (area * inputs + 3 * outputs)


class Conv2Plus1D(nn.Module):
    """A spatial convolution, a norm, an activation and a temporal convolution.

    Attributes:
      features: output channels.
      kernel_size: kernel size along T, H, W, of both parts together.
      strides: strides along T, H, W; the spatial part has the spatial strides.
      mid: middle channels; None is the result of `mid_channels`.
      time_first: convolve over time before space.
      norm: factory of the norm between the parts.
      padding: padding of both parts, as in `Conv`; None is half a kernel on both sides.
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
