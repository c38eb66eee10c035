"""Squeeze and recursion (SR): features weighted by the states of recurrent cells over the clip.

Stergiou, thesis, section 4.3.1, eq. 4.1 to 4.5, with LSTM cells; section 5.3.2, eq. 5.8 to 5.11,
with GRU cells, as the branch of global feature importance in MTBlocks.
"""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers import recurrence
from vidjax.layers.broadcast import broadcast_like
from vidjax.layers.recurrence import Recurrence
from vidjax.settings import Kind, check, one_of

SETTINGS: Mapping[str, Kind] = {**recurrence.SETTINGS, "fuse": one_of("multiply", "add")}


class SqueezeRecursion(nn.Module):
    """Runs the spatial mean of each frame through recurrent cells, and fuses states and features.

    The states are in (-1, 1), so multiplication by them shrinks features, and may flip their sign.

    Attributes:
      cell: one of `vidjax.layers.recurrence.CELLS`.
      layers: number of layers of cells.
      fuse: `multiply` features by states, or `add` them.
    """

    cell: str = "lstm"
    layers: int = 2
    fuse: str = "multiply"

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape, in training as in evaluation.

        Raises:
          ValueError: a setting is not allowed.
        """
        return self.parts(x)[0]

    @nn.compact
    def parts(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns fused features; and pooled frames and states, float32 `[B, T, C]`."""
        check(vars(self), SETTINGS, "squeeze and recursion: ")
        pooled = jnp.mean(x, axis=(2, 3), dtype=jnp.float32)
        states = Recurrence(self.cell, self.layers, name="recurrence")(pooled)
        weights = broadcast_like(states[:, :, None, None], x)
        return x * weights if self.fuse == "multiply" else x + weights, pooled, states
