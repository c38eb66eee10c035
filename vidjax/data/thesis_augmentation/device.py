"""Applies the thesis' augmentation chain on a device: whole batches, inside a jitted program."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.data.thesis_augmentation import hue, warp
from vidjax.data.thesis_augmentation.parameters import BLUR_UNIT, Draw


def apply_on_device(clip: jax.Array, draws: Draw) -> jax.Array:
    """Augments each clip of a batch with the parameters drawn for it.

    Clips are processed independently, so the sharding of the batch over devices is kept.

    Args:
      clip: uint8 `[B, T, S, S, 3]`.
      draws: parameters, arrays with a leading axis B.

    Returns:
      uint8 `[B, T, S, S, 3]`, byte for byte the result of
      `vidjax.data.thesis_augmentation.host.apply_on_host`.
    """
    return jax.vmap(_apply)(clip, Draw(*(jnp.asarray(array) for array in draws)))


def _apply(frames: jax.Array, draw: Draw) -> jax.Array:
    frames = _look_up(_blur(frames, draw.blur), draw.tone)
    rgb = jnp.moveaxis(frames, -1, 0).astype(jnp.int32)
    frames = jnp.moveaxis(hue.shifted(jnp, rgb, draw.hue, draw.saturation), 0, -1)
    frames = _look_up(frames, jnp.broadcast_to(draw.contrast, draw.tone.shape))
    frames = _warp(frames, draw.warp)
    return jnp.where(draw.flip, frames[:, :, ::-1], frames)


def _blur(frames: jax.Array, weights: jax.Array) -> jax.Array:
    height, width = frames.shape[1:3]
    padded = jnp.pad(frames, ((0, 0), (2, 1), (2, 1), (0, 0)), mode="reflect").astype(jnp.int32)
    total = jnp.full(frames.shape, BLUR_UNIT // 2)
    for y, x in np.ndindex(4, 4):
        total += weights[y, x] * padded[:, y : y + height, x : x + width]
    return (total // BLUR_UNIT).astype(jnp.uint8)


def _look_up(frames: jax.Array, table: jax.Array) -> jax.Array:
    def channel(values: jax.Array, row: jax.Array) -> jax.Array:
        return row.at[values].get(mode="promise_in_bounds")

    return jax.vmap(channel, in_axes=(-1, 0), out_axes=-1)(frames, table)


def _warp(frames: jax.Array, homography: jax.Array) -> jax.Array:
    size, steps = frames.shape[1], warp.STEPS
    across, down = warp.sources(homography, size)
    left, top = across // steps, down // steps
    x, y = across % steps, down % steps
    right, bottom = jnp.minimum(left + 1, size - 1), jnp.minimum(top + 1, size - 1)

    def pixels(row: jax.Array, column: jax.Array, weight: jax.Array) -> jax.Array:
        return frames[:, row, column] * weight[..., None]

    total = pixels(top, left, (steps - y) * (steps - x)) + pixels(top, right, (steps - y) * x)
    total += pixels(bottom, left, y * (steps - x)) + pixels(bottom, right, y * x)
    return ((total + steps**2 // 2) // steps**2).astype(jnp.uint8)
