"""Operations on the pictures of a clip, each with an amount of which 0 changes nothing.

A clip is uint8 `[T, H, W, 3]`, RGB, contiguous. What an operation measures of it (its mean, its
histogram) it measures over all frames, so that each colour becomes the same one in every frame
and nothing flickers. A clip of one frame becomes what Pillow's `ImageOps` and `ImageEnhance` make
of it, to one step of 255 where they round otherwise.

Rotations, shears and shifts keep the size. Where they show what lies beyond the picture, it is
grey. None of the operations mirrors.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

GREY = 128
_BYTES = np.arange(256.0)
# ITU-R 601-2, as Pillow has it; OpenCV's own grey is a step beside it at times.
_LUMA = np.array([[19595, 38470, 7471]]) / 65536
# Pillow's `ImageFilter.SMOOTH`.
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def identity(clip: np.ndarray, amount: float) -> np.ndarray:
    """Nothing."""
    del amount
    return clip


def brightness(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies all values by 1 + `amount`."""
    return _look_up(clip, _BYTES * (1 + amount))


def contrast(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the distance of all values from the mean grey by 1 + `amount`."""
    mean = round(float(_grey(clip).mean()))
    return _look_up(clip, mean + (_BYTES - mean) * (1 + amount))


def color(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the distance of each colour from its grey by 1 + `amount`."""
    return _away_from(cv2.cvtColor(_grey(clip), cv2.COLOR_GRAY2RGB), clip, amount)


def sharpness(clip: np.ndarray, amount: float) -> np.ndarray:
    """Multiplies the distance from a smoothed picture by 1 + `amount`; edges of frames stay."""
    smooth = clip.copy()
    for frame, place in zip(clip, smooth, strict=True):
        place[1:-1, 1:-1] = cv2.filter2D(frame, -1, _SMOOTH)[1:-1, 1:-1]
    return _away_from(_tall(smooth), clip, amount)


def posterize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Sets the lowest `amount` of 8 bits, rounded, to zero."""
    return _look_up(clip, _BYTES.astype(int) >> round(amount) << round(amount))


def solarize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Inverts the values from 256 - `amount` on."""
    return _look_up(clip, np.where(256 - amount > _BYTES, _BYTES, 255 - _BYTES))


def auto_contrast(clip: np.ndarray, amount: float) -> np.ndarray:
    """Stretches the values of each channel over all of 0 to 255."""
    del amount
    # Frames first: along the channels NumPy takes ten times as long.
    low, high = clip.min(axis=(0, 1)).min(axis=0), clip.max(axis=(0, 1)).max(axis=0)
    return _look_up(clip, np.stack(list(map(_stretched, low.astype(float), high.astype(float)))))


def _stretched(low: float, high: float) -> np.ndarray:
    if high <= low:
        return _BYTES
    scale = 255 / (high - low)
    return np.floor((_BYTES * scale - low * scale).clip(0, 255))


def equalize(clip: np.ndarray, amount: float) -> np.ndarray:
    """Spreads the values of each channel so that all are about equally frequent."""
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
    """Shifts rows by `amount` of their height above the centre, to the right."""
    return _warped(clip, ((1, amount), (0, 1)))


def shear_y(clip: np.ndarray, amount: float) -> np.ndarray:
    """Shifts columns by `amount` of their distance left of the centre, downwards."""
    return _warped(clip, ((1, 0), (amount, 1)))


def translate_x(clip: np.ndarray, amount: float) -> np.ndarray:
    """Shifts the picture to the right by `amount` of its width."""
    return _warped(clip, ((1, 0), (0, 1)), across=amount * clip.shape[2])


def translate_y(clip: np.ndarray, amount: float) -> np.ndarray:
    """Shifts the picture downwards by `amount` of its height."""
    return _warped(clip, ((1, 0), (0, 1)), down=amount * clip.shape[1])


def rotate(clip: np.ndarray, amount: float) -> np.ndarray:
    """Turns the picture about its centre by `amount` degrees, anticlockwise."""
    cos, sin = math.cos(math.radians(amount)), math.sin(math.radians(amount))
    return _warped(clip, ((cos, -sin), (sin, cos)))


def _warped(
    clip: np.ndarray,
    matrix: tuple[tuple[float, float], tuple[float, float]],
    across: float = 0.0,
    down: float = 0.0,
) -> np.ndarray:
    """Each pixel from `matrix` times its place from the centre, after a shift in pixels."""
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
    """All frames as one picture, one below the other: OpenCV does it in one call."""
    return clip.reshape(-1, *clip.shape[2:])


def _grey(clip: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.transform(_tall(clip), _LUMA))


def _away_from(plain: np.ndarray, clip: np.ndarray, amount: float) -> np.ndarray:
    mixed = cv2.addWeighted(_tall(clip), 1 + amount, plain, -amount, 0)
    return np.asarray(mixed).reshape(clip.shape)


def _look_up(clip: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Replaces values by those of a table `[256]`, or of one for each channel `[3, 256]`."""
    rounded = np.rint(table).clip(0, 255).astype(np.uint8)
    given = rounded if rounded.ndim == 1 else np.ascontiguousarray(rounded.T)[None]
    return np.asarray(cv2.LUT(_tall(clip), given)).reshape(clip.shape)
