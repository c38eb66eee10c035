"""Shifts hue and saturation in integer arithmetic, byte for byte the same in NumPy and in JAX.

A colour is described by its largest channel V, its chroma C (V minus the smallest channel) and its
hue. The hue circle has six parts of 256 steps, with red, green and blue at 0, 512 and 1024. A
channel falls further below V the farther it is from the hue: by nothing up to one part away, by all
of C from two parts on. This is the HSV model (Smith 1978) on a finer circle than the usual 180 or
256 steps. Shifts of zero reproduce every colour exactly.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

PART = 256
CIRCLE = 6 * PART
# Unit of saturation shifts. 255 times the largest shift of a clip then fits 16 bits.
UNIT = 1024


def shifted(xp: ModuleType, rgb: Any, hue: Any, saturation: Any) -> Any:
    """Shifts the hue and saturation of colours.

    Args:
      xp: `numpy` or `jax.numpy`, matching the arrays.
      rgb: `[3, ...]`, values 0 to 255 of a signed integer dtype of at least 16 bits.
      hue: shift in steps, of the same dtype, between -100 and 100; it broadcasts to a channel.
      saturation: shift of C / V in units of 1 / `UNIT`, between -100 and 100, otherwise like `hue`.

    Returns:
      uint8 `[3, ...]`.
    """
    largest = xp.maximum(xp.maximum(rgb[0], rgb[1]), rgb[2])
    chroma = largest - xp.minimum(xp.minimum(rgb[0], rgb[1]), rgb[2])
    channels = np.arange(0, CIRCLE, 2 * PART).reshape(3, *(1,) * largest.ndim).astype(rgb.dtype)
    distance = xp.abs(_hue(xp, rgb, largest, chroma) + hue - channels)
    share = xp.clip(2 * PART - xp.abs(CIRCLE // 2 - distance), 0, PART)
    chroma = xp.clip(chroma + ((largest * saturation + UNIT // 2) >> 10), 0, 255)
    chroma = xp.minimum(chroma, largest)
    # In 16 bits the product may overflow to a negative value, but its low byte is right.
    return (largest - ((chroma * share + PART // 2) >> 8)).astype(xp.uint8)


def _hue(xp: ModuleType, rgb: Any, largest: Any, chroma: Any) -> Any:
    """Computes the hue, from -256 to 1280. Grey counts as red."""
    red, green, blue = rgb
    is_red = red == largest
    is_green = (green == largest) & ~is_red
    is_blue = ~(is_red | is_green)
    ahead = is_red * (green - blue) + is_green * (blue - red) + is_blue * (red - green)
    # These integers are exact in float32, and 0 / 0 becomes 0. The quotient is at least 1 / 510
    # away from the midpoint between two steps, so every division rounds to the same step.
    share = xp.rint(ahead / (chroma.astype(xp.float32) + 1e-9) * PART)
    third = rgb.dtype.type(2 * PART)
    return share.astype(rgb.dtype) + is_green * third + is_blue * (2 * third)
