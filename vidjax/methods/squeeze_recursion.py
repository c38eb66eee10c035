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

SETTINGS: Mapping[str, Kind] = {
    **recurrence.SETTINGS,
    "fuse": one_of("multiply", "add"),
    "states": one_of("recurrent", "averaged", "learned"),
}


class SqueezeRecursion(nn.Module):
    """Runs the spatial mean of each frame through recurrent cells, and fuses states and features.

    The states are in (-1, 1), so multiplication by them shrinks features, and may flip their sign.

    Attributes:
      cell: one of `vidjax.layers.recurrence.CELLS`.
      layers: number of layers of cells.
      fuse: `multiply` features by states, or `add` them.
      states: `recurrent`, or a control of what recurrence adds, with the same states at all frames:
        `averaged` runs the cells on each frame alone, from zero states, and averages over the
        frames; `learned` has one parameter per channel and no cells, which begins without effect.
    """

    cell: str = "lstm"
    layers: int = 2
    fuse: str = "multiply"
    states: str = "recurrent"

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
        states = self._states_of(pooled)
        weights = broadcast_like(states[:, :, None, None], x)
        return x * weights if self.fuse == "multiply" else x + weights, pooled, states

    def _states_of(self, pooled: jax.Array) -> jax.Array:
        if self.states == "learned":
            init = nn.initializers.ones if self.fuse == "multiply" else nn.initializers.zeros
            scale = self.param("scale", init, pooled.shape[-1:])
            return jnp.broadcast_to(scale, pooled.shape)
        recurrence = Recurrence(self.cell, self.layers, name="recurrence")
        if self.states == "recurrent":
            return recurrence(pooled)
        alone = recurrence(pooled.reshape(-1, 1, pooled.shape[-1])).reshape(pooled.shape)
        return jnp.broadcast_to(jnp.mean(alone, axis=1, keepdims=True), pooled.shape)
