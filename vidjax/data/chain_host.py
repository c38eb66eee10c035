"""The chain of augmentations on the host: NumPy and OpenCV, leaving out what changes nothing."""

from __future__ import annotations

import cv2
import numpy as np

from vidjax.data import hue, warp
from vidjax.data.chain import BLUR_UNIT, Draw, nothing

# Sums are odd multiples of this and never lie between two values: how ties round is no matter.
_OFF_TIES = 1 / (2 * BLUR_UNIT)


def apply_on_host(frames: np.ndarray, draw: Draw) -> np.ndarray:
    """Does to the frames of a clip, uint8 `[T, S, S, 3]`, what was drawn for it.

    The result is uint8, and that of `vidjax.data.chain_device.apply_on_device`; it may be the
    frames themselves.
    """
    same = nothing(frames.shape[1])
    if not np.array_equal(draw.blur, same.blur):
        frames = _blur(frames, draw.blur)
    if not np.array_equal(draw.tone, same.tone):
        frames = _look_up(frames, draw.tone)
    if draw.hue or draw.saturation:
        frames = _shift(frames, draw.hue, draw.saturation)
    if not np.array_equal(draw.contrast, same.contrast):
        frames = _look_up(frames, np.tile(draw.contrast, (3, 1)))
    if not np.array_equal(draw.warp, same.warp):
        frames = _warp(frames, draw.warp)
    return np.stack([cv2.flip(frame, 1) for frame in frames]) if draw.flip else frames


def _blur(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    kernel = weights.astype(np.float32) / BLUR_UNIT
    blurred = [cv2.filter2D(frame, -1, kernel, anchor=(2, 2), delta=_OFF_TIES) for frame in frames]
    return np.stack(blurred)


def _look_up(frames: np.ndarray, table: np.ndarray) -> np.ndarray:
    tall = frames.reshape(-1, *frames.shape[2:])
    if (table == table[0]).all():
        return cv2.LUT(tall.reshape(len(tall), -1), table[0]).reshape(frames.shape)
    return cv2.LUT(tall, np.ascontiguousarray(table.T)[None]).reshape(frames.shape)


def _shift(frames: np.ndarray, turn: np.ndarray, colour: np.ndarray) -> np.ndarray:
    shifts = turn.astype(np.int16), colour.astype(np.int16)
    shifted = np.empty(frames.shape, np.uint8)
    # A frame at a time stays in the cache.
    for frame, into in zip(frames, shifted, strict=True):
        rgb = np.moveaxis(frame, -1, 0).astype(np.int16, order="C")
        cv2.merge(list(hue.shifted(np, rgb, *shifts)), into)
    return shifted


def _warp(frames: np.ndarray, homography: np.ndarray) -> np.ndarray:
    across, down = warp.sources(homography, frames.shape[1])
    whole = np.stack([across // warp.STEPS, down // warp.STEPS], axis=-1).astype(np.int16)
    parts = (down % warp.STEPS * warp.STEPS + across % warp.STEPS).astype(np.uint16)
    settings = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.stack([cv2.remap(frame, whole, parts, **settings) for frame in frames])
