"""The lateral connection from a fast pathway to a slow one (SlowFast, ICCV 2019, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv


class Lateral(nn.Module):
    """Converts fast features to the slow pathway's frame rate, with twice the channels.

    Attributes:
      alpha: frames of the fast pathway per frame of the slow one.
      kernel_size: temporal kernel size of the convolution.
      norm: factory of the norm, which is followed by an activation; None means neither.
    """

    alpha: int
    kernel_size: int
    norm: Callable[..., Any] | None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T / alpha, H, W, 2 C]`."""
        kernel, strides = (self.kernel_size, 1, 1), (self.alpha, 1, 1)
        x = Conv(2 * x.shape[-1], kernel, strides, name="conv")(x)
        return x if self.norm is None else nn.relu(self.norm(name="norm")(x, train=train))
