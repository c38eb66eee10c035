"""Temporal Gaussian mixture (TGM) convolution: a spatial kernel, extended in time by few curves.

Piergiovanni and Ryoo, ICML 2019, section 3, in the inflated form of EvaNet. The curves are those of
its code: nearly Cauchy densities, which would have a factor on the 1 in the
denominator.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import conv3d, kaiming_normal

CURVES = 4


class TemporalMixtureConv(nn.Module):
    """A TGM convolution; with a single frame it is a spatial convolution.

    Attributes:
      features: output channels O.
      frames: temporal kernel size.
    """

    features: int
    frames: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H, W, O]`."""
        pair = (x.shape[-1], self.features)
        kernel = self.param("kernel", kaiming_normal, (1, 3, 3, *pair), jnp.float32)
        if self.frames > 1:
            normal: Any = nn.initializers.normal(1.0)
            shares = self.param("attention", normal, (CURVES, pair[0] * pair[1]))
            centres = self.param("centre", normal, (CURVES,))
            widths = self.param("gamma", normal, (CURVES,))
            curves = mixture_curves(centres, widths, self.frames)
            spread = jnp.einsum("cn,ct->tn", nn.softmax(shares, axis=0), curves)
            kernel = kernel * spread.reshape(self.frames, 1, 1, *pair)
        return conv3d(x, kernel.astype(x.dtype), padding="SAME")


def mixture_curves(centres: jax.Array, widths: jax.Array, frames: int) -> jax.Array:
    """Returns curves over frames, each with a sum of 1, `[curves, frames]`."""
    middle = (frames - 1) * (jnp.tanh(centres) + 1) / 2
    scale = jnp.exp(1.5 - 2 * jnp.abs(jnp.tanh(widths)))[:, None]
    away = (jnp.arange(frames) - middle[:, None]) / scale
    density = 1 / (jnp.pi * scale * away**2 + 1)
    return density / (density.sum(1, keepdims=True) + 1e-6)
