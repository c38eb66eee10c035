"""Visualizes optical flow: the hue shows the direction of motion, the saturation its length."""

from __future__ import annotations

import cv2
import numpy as np

from vidjax.data.optical_flow import STILL

# Hues of OpenCV are halves of degrees.
_TURN = 180


def flow_to_rgb(stored: np.ndarray) -> np.ndarray:
    """Colours the first flow field of each time step. Pixels that do not move are white.

    Full saturation is the largest motion in the input.

    Args:
      stored: uint8 `[N, T, H, W, 2 L]`, quantized as in `vidjax.data.optical_flow`.

    Returns:
      uint8 `[N, T, H, W, 3]`, RGB: red moves right, yellow-green moves down.
    """
    x, y = np.moveaxis(stored[..., :2].astype(np.float32) - STILL, -1, 0)
    far = np.hypot(x, y)
    hue = np.rint(np.degrees(np.arctan2(y, x)) / 2) % _TURN
    strength = np.rint(255 * far / max(1.0, float(far.max())))
    hsv = np.stack([hue, strength, np.full_like(hue, 255)], axis=-1).astype(np.uint8)
    return cv2.cvtColor(hsv.reshape(-1, 1, 3), cv2.COLOR_HSV2RGB).reshape(hsv.shape)
