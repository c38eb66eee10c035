"""Optical flow as a picture: the hue is where a pixel goes, the colour's strength how far."""

from __future__ import annotations

import cv2
import numpy as np

from vidjax.data.optical_flow import STILL

# Hues of OpenCV are halves of degrees.
_TURN = 180


def in_colours(stored: np.ndarray) -> np.ndarray:
    """The first field at each place of clips; what does not move is white.

    The strongest colour is the farthest movement of all that is given.

    Args:
      stored: uint8 `[N, T, H, W, 2 L]`, as `vidjax.data.optical_flow` stores it.

    Returns:
      uint8 `[N, T, H, W, 3]`, RGB: red goes right, and yellow-green down.
    """
    x, y = np.moveaxis(stored[..., :2].astype(np.float32) - STILL, -1, 0)
    far = np.hypot(x, y)
    hue = np.rint(np.degrees(np.arctan2(y, x)) / 2) % _TURN
    strength = np.rint(255 * far / max(1.0, float(far.max())))
    hsv = np.stack([hue, strength, np.full_like(hue, 255)], axis=-1).astype(np.uint8)
    return cv2.cvtColor(hsv.reshape(-1, 1, 3), cv2.COLOR_HSV2RGB).reshape(hsv.shape)
