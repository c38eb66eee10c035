"""Temporal shift: moves channels along time (Lin et al.: TSM, ICCV 2019, section 3)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp


def temporal_shift(x: jax.Array, fraction: int = 8) -> jax.Array:
    """Replaces a part of each frame's channels by its neighbours'.

    Args:
      x: `[B, T, H, W, C]`.
      fraction: of C channels, the first C // fraction come from the next frame, and as many after
        them from the previous frame, with zeros beyond the ends of the clip. The rest stays.

    Returns:
      `[B, T, H, W, C]`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.temporal_shift import temporal_shift
      >>> x = jnp.arange(12).reshape(1, 3, 1, 1, 4)  # 3 frames with 4 channels
      >>> temporal_shift(x, fraction=4).reshape(3, 4).tolist()
      [[4, 0, 2, 3], [8, 1, 6, 7], [0, 5, 10, 11]]
    """
    share = x.shape[-1] // fraction
    edges = [(0, 0)] * 5
    later, earlier = edges.copy(), edges.copy()
    later[1], earlier[1] = (0, 1), (1, 0)
    following = jnp.pad(x[:, 1:, ..., :share], later)
    previous = jnp.pad(x[:, :-1, ..., share : 2 * share], earlier)
    return jnp.concatenate([following, previous, x[..., 2 * share :]], axis=-1)


class TemporalShift(nn.Module):
    """`temporal_shift` as a module, for the start of a block."""

    fraction: int = 8

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape."""
        del train
        return temporal_shift(x, self.fraction)
