"""Hue and saturation in whole numbers: NumPy on the host and JAX on a device give the same bytes.

A colour is its largest channel V, its chroma C, which is what the smallest channel lacks of V, and
its hue. The circle of hues has six parts of 256 steps, with red, green and blue at 0, 512 and 1024.
A channel lacks the more of V the farther it is from the hue: nothing up to one part, all of C from
two parts on. That is the HSV model (Smith 1978) on a finer circle than the 180 or 256 steps that it
is usually stored in, and shifts of zero give every colour back.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

PART = 256
CIRCLE = 6 * PART
# Shifts of saturation are in parts of this: 16 bits then hold 255 times what a clip may draw.
UNIT = 1024


def shifted(xp: ModuleType, rgb: Any, hue: Any, saturation: Any) -> Any:
    """Colours with hue and saturation shifted.

    Args:
      xp: `numpy` or `jax.numpy`, whose arrays the others are.
      rgb: `[3, ...]`, values 0 to 255 of a signed integer type of 16 bits or more.
      hue: shift in steps, of that type, at most 100 either way; it broadcasts to a channel.
      saturation: shift of C / V in parts of `UNIT`, likewise, at most 100 either way.

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
    # In 16 bits the product may pass for negative; the byte that is left is the right one.
    return (largest - ((chroma * share + PART // 2) >> 8)).astype(xp.uint8)


def _hue(xp: ModuleType, rgb: Any, largest: Any, chroma: Any) -> Any:
    """From -256 to 1280; a grey's is red's."""
    red, green, blue = rgb
    is_red = red == largest
    is_green = (green == largest) & ~is_red
    is_blue = ~(is_red | is_green)
    ahead = is_red * (green - blue) + is_green * (blue - red) + is_blue * (red - green)
    # Whole numbers stay what they are in 32 bits, and 0 / 0 becomes 0. The quotient's distance
    # from a half between two steps is 1 / 510 or more: any division rounds to the same step.
    share = xp.rint(ahead / (chroma.astype(xp.float32) + 1e-9) * PART)
    third = rgb.dtype.type(2 * PART)
    return share.astype(rgb.dtype) + is_green * third + is_blue * (2 * third)
