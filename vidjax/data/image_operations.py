"""Image operations for augmentation, applied to all frames of a clip. Amount 0 changes nothing.

A clip is uint8 `[T, H, W, 3]`, RGB, contiguous. Statistics such as the mean or the histogram are
computed over all frames, so that a colour changes the same way in every frame and nothing flickers.
For a clip of one frame the results equal Pillow's `ImageOps` and `ImageEnhance`, up to one step of
255 from rounding.

Rotations, shears and translations keep the size and fill the area outside the image with grey.
None of the operations mirrors.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

GREY = 128
_BYTES = np.arange(256.0)
# ITU-R 601-2 luma as in Pillow; OpenCV's own grey differs by one step at times.
_LUMA = np.array([[19595, 38470, 7471]]) / 65536
# Pillow's `ImageFilter.SMOOTH`.
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def identity(clip: np.ndarray, amount: float) -> np.ndarray:
    """Returns the clip unchanged."""
    del amount
    return clip


def brightness(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies all values by 1 + `amount`."""
    return _look_up(clip, _BYTES * (1 + amount))


def contrast(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the difference of all values from the mean grey by 1 + `amount`."""
    mean = round(float(_grey(clip).mean()))
    return _look_up(clip, mean + (_BYTES - mean) * (1 + amount))


def color(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the difference of each colour from its grey by 1 + `amount` (saturation)."""
    return _away_from(cv2.cvtColor(_grey(clip), cv2.COLOR_GRAY2RGB), clip, amount)


def sharpness(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the difference from the smoothed image by 1 + `amount`, except at the border."""
    smooth = clip.copy()
    for frame, place in zip(clip, smooth, strict=True):
        place[1:-1, 1:-1] = cv2.filter2D(frame, -1, _SMOOTH)[1:-1, 1:-1]
    return _away_from(_tall(smooth), clip, amount)


def posterize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Clears the lowest `amount` of 8 bits, rounded."""
    return _look_up(clip, _BYTES.astype(int) >> round(amount) << round(amount))


def solarize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Inverts all values of at least 256 - `amount`."""
    return _look_up(clip, np.where(256 - amount > _BYTES, _BYTES, 255 - _BYTES))


def auto_contrast(clip: np.ndarray, amount: float) -> np.ndarray:
    """Stretches the values of each channel to 0 to 255."""
    del amount
    # Reduce over frames first: NumPy is ten times slower along the channels.
    low, high = clip.min(axis=(0, 1)).min(axis=0), clip.max(axis=(0, 1)).max(axis=0)
    return _look_up(clip, np.stack(list(map(_stretched, low.astype(float), high.astype(float)))))


def _stretched(low: float, high: float) -> np.ndarray:
    if high <= low:
        return _BYTES
    scale = 255 / (high - low)
    return np.floor((_BYTES * scale - low * scale).clip(0, 255))


def equalize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Equalizes the histogram of each channel."""
    del amount
    channels = np.moveaxis(clip, -1, 0).reshape(3, -1)
    counts = (np.bincount(channel, minlength=256) for channel in channels)
    return _look_up(clip, np.stack(list(map(_equalized, counts))))


def _equalized(counts: np.ndarray) -> np.ndarray:
    used = counts[counts > 0]
    step = int(counts.sum() - used[-1]) // 255
    if len(used) <= 1 or not step:
        return _BYTES
    before = np.cumsum(counts) - counts
    return np.minimum((step // 2 + before) // step, 255)


def shear_x(clip: np.ndarray, amount: float) -> np.ndarray:
    """Shears horizontally: shifts rows to the right by `amount` times their height above centre."""
    return _warped(clip, ((1, amount), (0, 1)))


def shear_y(clip: np.ndarray, amount: float) -> np.ndarray:
    """Shears vertically: shifts columns down by `amount` times their distance left of centre."""
    return _warped(clip, ((1, 0), (amount, 1)))


def translate_x(clip: np.ndarray, amount: float) -> np.ndarray:
    """Translates the image to the right by `amount` times its width."""
    return _warped(clip, ((1, 0), (0, 1)), across=amount * clip.shape[2])


def translate_y(clip: np.ndarray, amount: float) -> np.ndarray:
    """Translates the image down by `amount` times its height."""
    return _warped(clip, ((1, 0), (0, 1)), down=amount * clip.shape[1])


def rotate(clip: np.ndarray, amount: float) -> np.ndarray:
    """Rotates the image about its centre by `amount` degrees, anticlockwise."""
    cos, sin = math.cos(math.radians(amount)), math.sin(math.radians(amount))
    return _warped(clip, ((cos, -sin), (sin, cos)))


def _warped(
    clip: np.ndarray,
    matrix: tuple[tuple[float, float], tuple[float, float]],
    across: float = 0.0,
    down: float = 0.0,
) -> np.ndarray:
    """Warps frames: `matrix` maps output to input positions relative to the centre."""
    height, width = clip.shape[1:3]
    turn, centre = np.array(matrix), np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - turn @ (centre + np.array([across, down]))
    sources = np.column_stack([turn, offset])
    settings: dict[str, Any] = {
        "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        "borderMode": cv2.BORDER_CONSTANT,
        "borderValue": (GREY,) * 3,
    }
    return np.stack([cv2.warpAffine(frame, sources, (width, height), **settings) for frame in clip])


def _tall(clip: np.ndarray) -> np.ndarray:
    """Stacks all frames into one tall image, so that one call of OpenCV processes them."""
    return clip.reshape(-1, *clip.shape[2:])


def _grey(clip: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.transform(_tall(clip), _LUMA))


def _away_from(plain: np.ndarray, clip: np.ndarray, amount: float) -> np.ndarray:
    mixed = cv2.addWeighted(_tall(clip), 1 + amount, plain, -amount, 0)
    return np.asarray(mixed).reshape(clip.shape)


def _look_up(clip: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Applies a lookup table `[256]`, or one per channel `[3, 256]`."""
    rounded = np.rint(table).clip(0, 255).astype(np.uint8)
    given = rounded if rounded.ndim == 1 else np.ascontiguousarray(rounded.T)[None]
    return np.asarray(cv2.LUT(_tall(clip), given)).reshape(clip.shape)
