"""Trilinear resizing of clips, with half-pixel centres and without antialiasing."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def trilinear(x: jax.Array, size: Sequence[int]) -> jax.Array:
    """Resizes `[B, T, H, W, C]` to `[B, *size, C]`; values beyond the outer centres are constant.

    The weights are those of PyTorch's `interpolate` with `align_corners=False`. It computes in
    float32 and returns x's dtype.

    Args:
      x: the features.
      size: output size T', H', W'.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.resize import trilinear
      >>> x = jnp.array([0.0, 4.0]).reshape(1, 1, 1, 2, 1)
      >>> trilinear(x, (1, 1, 4)).squeeze().tolist()
      [0.0, 1.0, 3.0, 4.0]
    """
    if tuple(size) == x.shape[1:4]:
        return x
    shape = (x.shape[0], *size, x.shape[-1])
    resized = jax.image.resize(x.astype(jnp.float32), shape, "trilinear", antialias=False)
    return resized.astype(x.dtype)
