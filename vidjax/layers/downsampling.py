"""Downsamples a clip in space and time, for the prolonged branch of MTConvs.

Stergiou, thesis, section 5.3.1 and table 5.8: space is pooled, and half of the frames are selected.
The symmetric alternatives also pool over time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers import temporal_frame_selection as selection
from vidjax.layers.pooling import max_pool
from vidjax.layers.pooling_windows import PLACES, windows
from vidjax.layers.soft_pool import soft_pool
from vidjax.layers.stochastic_pool import stochastic_pool
from vidjax.layers.temporal_frame_selection import temporal_frame_selection
from vidjax.settings import Kind, check, one_of

Triple = tuple[int, int, int]


def _average(x: jax.Array, window: Triple) -> jax.Array:
    return jnp.mean(windows(x, window), axis=PLACES, dtype=jnp.float32).astype(x.dtype)


def _largest(x: jax.Array, window: Triple) -> jax.Array:
    # Not `jnp.max`: its gradient divides by the number of maxima, which it counts by comparison. If
    # XLA recomputes the values with other rounding, that number is zero.
    return max_pool(x, window, window, (0, 0, 0))


POOLS: dict[str, Callable[..., jax.Array]] = {
    "soft": soft_pool,
    "average": _average,
    "max": _largest,
    "stochastic": stochastic_pool,
}
SETTINGS: Mapping[str, Kind] = {
    "pool": one_of(*POOLS),
    "frames": one_of("selected", "pooled"),
    **selection.SETTINGS,
    "odd": one_of("floor", "replicate"),
}
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    name: {"frames": one_of("selected"), **selection.NEEDS.get(name, {})}
    for name in selection.SETTINGS
}


class Downsampling(nn.Module):
    """Halves height and width, then the number of frames; it has no parameters.

    Attributes:
      pool: spatial pooling: `soft` (SoftPool), `average`, `max` or `stochastic`, which draws from
        the stream `noise` in training.
      frames: how frames are halved: `selected` by their redundancy, or `pooled` like space.
      choose: as in `temporal_frame_selection`.
      squared: as in `temporal_frame_selection`.
      edge: as in `temporal_frame_selection`.
      odd: what happens to a last odd row or column: it is dropped (`floor`) or repeated
        (`replicate`).
    """

    pool: str = "soft"
    frames: str = "selected"
    choose: str = "lowest"
    squared: bool = False
    edge: str = "never"
    odd: str = "floor"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T/2, H/2, W/2, C]`; an axis of length 1 stays.

        Clips of two frames keep both, since there is nothing to select.

        Raises:
          ValueError: a setting is not allowed.
        """
        check(vars(self), SETTINGS)
        length, height, width = x.shape[1:4]
        window = (min(length, 2 if self.frames == "pooled" else 1), min(height, 2), min(width, 2))
        if self.odd == "replicate":
            more = [(0, height % window[1]), (0, width % window[2])]
            x = jnp.pad(x, [(0, 0), (0, 0), *more, (0, 0)], mode="edge")
        drawn = {"key": self.make_rng("noise")} if train and self.pool == "stochastic" else {}
        x = POOLS[self.pool](x, window, **drawn)
        if self.frames == "pooled":
            return x
        return temporal_frame_selection(
            x, choose=self.choose, squared=self.squared, edge=self.edge
        )[0]
