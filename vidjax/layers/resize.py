"""Trilinear resizing of clips, with pixels as areas (half-pixel centres) and no smoothing."""

from __future__ import annotations

from collections.abc import Sequence

import jax


def trilinear(x: jax.Array, size: Sequence[int]) -> jax.Array:
    """Resizes `[B, T, H, W, C]` to `[B, *size, C]`; beyond the outer centres values are constant.

    The weights are those of PyTorch's `interpolate` with `align_corners=False`.

    Args:
      x: the features.
      size: T', H', W'.
    """
    if tuple(size) == x.shape[1:4]:
        return x
    return jax.image.resize(x, (x.shape[0], *size, x.shape[-1]), "trilinear", antialias=False)
