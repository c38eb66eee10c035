"""Applies the thesis' augmentation chain on the host with NumPy and OpenCV, skipping no-ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from vidjax.data.thesis_augmentation import hue, warp
from vidjax.data.thesis_augmentation.parameters import BLUR_UNIT, Draw, nothing

Step = Callable[[np.ndarray], np.ndarray]
# With this offset a sum is never halfway between two values, so rounding of ties cannot differ.
_OFF_TIES = 1 / (2 * BLUR_UNIT)


def apply_on_host(frames: np.ndarray, draw: Draw) -> np.ndarray:
    """Augments the frames of a clip, uint8 `[T, S, S, 3]`, with the parameters drawn for it.

    The result is uint8 and equals that of `apply_on_device` in `vidjax.data.thesis_augmentation`.
    If nothing changes, the input itself is returned.
    """
    steps = tuple(_steps(draw, frames.shape[1]))
    if not steps:
        return frames
    done = np.empty(frames.shape, np.uint8)
    # Frame by frame, so that the data stays in the cache and no new memory is allocated.
    for frame, place in zip(frames, done, strict=True):
        for step in steps:
            frame = step(frame)
        place[:] = frame
    return done


def _steps(draw: Draw, size: int) -> Iterator[Step]:
    """Yields the operations to apply to each frame, uint8 `[S, S, 3]`."""
    same = nothing(size)
    if not np.array_equal(draw.blur, same.blur):
        yield _blur(draw.blur)
    if not np.array_equal(draw.tone, same.tone):
        yield _look_up(draw.tone)
    if draw.hue or draw.saturation:
        yield _shift(draw.hue, draw.saturation)
    if not np.array_equal(draw.contrast, same.contrast):
        yield _look_up(np.tile(draw.contrast, (3, 1)))
    if not np.array_equal(draw.warp, same.warp):
        yield _warp(draw.warp, size)
    if draw.flip:
        yield lambda frame: cv2.flip(frame, 1)


def _blur(weights: np.ndarray) -> Step:
    kernel = weights.astype(np.float32) / BLUR_UNIT
    return lambda frame: cv2.filter2D(frame, -1, kernel, anchor=(2, 2), delta=_OFF_TIES)


def _look_up(table: np.ndarray) -> Step:
    # One table for all channels takes OpenCV half the time.
    shared = (table == table[0]).all()
    given = table[0] if shared else np.ascontiguousarray(table.T)[None]
    return lambda frame: cv2.LUT(frame, given)


def _shift(turn: np.ndarray, colour: np.ndarray) -> Step:
    shifts = turn.astype(np.int16), colour.astype(np.int16)

    def step(frame: np.ndarray) -> np.ndarray:
        rgb = np.moveaxis(frame, -1, 0).astype(np.int16, order="C")
        return np.asarray(cv2.merge(list(hue.shifted(np, rgb, *shifts))))

    return step


def _warp(homography: np.ndarray, size: int) -> Step:
    across, down = warp.sources(homography, size)
    whole = np.stack([across // warp.STEPS, down // warp.STEPS], axis=-1).astype(np.int16)
    parts = (down % warp.STEPS * warp.STEPS + across % warp.STEPS).astype(np.uint16)
    settings = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return lambda frame: cv2.remap(frame, whole, parts, **settings)
