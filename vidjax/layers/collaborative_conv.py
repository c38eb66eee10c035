"""Collaborative spatiotemporal convolution (CoST): one kernel over three views of a clip.

Li et al., CVPR 2019, section 3.2: the same 3x3 kernel convolves height and width, time and width,
and time and height. The three results are added with softmax weights.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.conv import conv3d, kaiming_normal

Triple = tuple[int, int, int]
WEIGHTINGS = ("a", "b")
# Position of the kernel's two axes in a kernel over frames, rows and columns, for each view.
VIEWS: tuple[Triple, ...] = ((1, 3, 3), (3, 1, 3), (3, 3, 1))
# Initial values before the softmax: most weight is on height and width (the authors' code).
_FIRST = (0.7, -0.7, -0.7)


class CollaborativeConv(nn.Module):
    """A CoST convolution.

    Attributes:
      features: output channels O.
      kernel_size: must be 1, 3, 3.
      strides: strides along T, H, W, in all views.
      variant: `a` learns a weight for each channel and view, `b` computes them from the views'
        maxima, clip by clip.
    """

    features: int
    kernel_size: Triple = (1, 3, 3)
    strides: Triple = (1, 1, 1)
    variant: str = "b"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', O]`."""
        inputs, outputs = x.shape[-1], self.features
        kernel = self.param("kernel", kaiming_normal, (1, 3, 3, inputs, outputs), jnp.float32)
        kernel = kernel.astype(x.dtype)
        views = [conv3d(x, kernel.reshape(*view, inputs, outputs), self.strides) for view in VIEWS]
        weights = nn.softmax(self._scores(views), axis=1)
        parts = (
            broadcast_like(weights[:, number, None, None, None], own) * own
            for number, own in enumerate(views)
        )
        return functools.reduce(jnp.add, parts)

    def _scores(self, views: list[jax.Array]) -> jax.Array:
        """Returns the scores of the views, float32 `[B or 1, 3, O]`."""
        if self.variant == "a":

            def first(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
                del key
                return jnp.broadcast_to(jnp.array(_FIRST), shape)

            return self.param("alpha", first, (self.features, 3)).T[None]
        dense: Any = functools.partial(
            nn.Dense, use_bias=False, kernel_init=nn.initializers.normal(0.01)
        )
        maxima = jnp.stack([own.max((1, 2, 3)) for own in views], axis=1).astype(jnp.float32)
        mixed = dense(self.features, name="channels")(maxima)
        return dense(3, name="views")(mixed.swapaxes(1, 2)).swapaxes(1, 2)
