"""Shortcuts of residual blocks whose output shape differs from their input shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Triple = tuple[int, int, int]


class _Shortcut(nn.Module):
    """The common fields of shortcuts.

    Attributes:
      features: channels of the block's output.
      strides: strides of the block.
      conv: factory of 1x1x1 convolutions.
      norm: factory of norms.
    """

    features: int
    strides: Triple
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    def _project(self, x: jax.Array, strides: Triple, *, train: bool) -> jax.Array:
        conv = self.conv(self.features, (1, 1, 1), strides, name="conv")
        return conv(x, train=train) if getattr(conv, "composed", False) else conv(x)


class Projection(_Shortcut):
    """A strided 1x1x1 convolution and a norm (He et al. 2015, option B)."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the block's output shape."""
        return self.norm(name="norm")(self._project(x, self.strides, train=train), train=train)


class BareProjection(_Shortcut):
    """A strided 1x1x1 convolution, with a norm only if the number of channels changes.

    PyTorchVideo's X3D has it.
    """

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the block's output shape."""
        y = self._project(x, self.strides, train=train)
        return y if x.shape[-1] == self.features else self.norm(name="norm")(y, train=train)


class AverageProjection(_Shortcut):
    """A strided 3x3 average pool, then a 1x1x1 convolution and a norm (bLNet).

    Padding counts as zeros. If the number of channels stays the same, it only pools; if the stride
    is 1, it only projects.
    """

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the block's output shape."""
        if self.strides != (1, 1, 1):
            window, strides = (1, 1, 3, 3, 1), (1, *self.strides, 1)
            pads = ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0))
            # The initial value must be a constant zero, or JAX cannot differentiate this sum.
            zero, full = np.zeros((), np.float32), x.astype(jnp.float32)
            mean = lax.reduce_window(full, zero, lax.add, window, strides, pads) / 9
            x = mean.astype(x.dtype)
        if x.shape[-1] == self.features:
            return x
        return self.norm(name="norm")(self._project(x, (1, 1, 1), train=train), train=train)


class Pad(_Shortcut):
    """Strided subsampling, with zero channels appended (He et al. 2015, option A)."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the block's output shape."""
        del train
        return _widen(x, self.strides, (0, self.features - x.shape[-1]))


class PadAround(_Shortcut):
    """The same as `Pad`, with half of the zero channels in front."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the block's output shape."""
        del train
        before = (self.features - x.shape[-1]) // 2
        return _widen(x, self.strides, (before, self.features - x.shape[-1] - before))


def _widen(x: jax.Array, strides: Triple, channels: tuple[int, int]) -> jax.Array:
    time, height, width = strides
    return jnp.pad(x[:, ::time, ::height, ::width], [(0, 0)] * 4 + [channels])


SHORTCUTS = {
    "projection": Projection,
    "bare_projection": BareProjection,
    "average_projection": AverageProjection,
    "pad": Pad,
    "pad_around": PadAround,
}
