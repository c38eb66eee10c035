"""Rotation and perspective in whole numbers: where each pixel of a square picture comes from.

A warp is a homography int32 `[3, 3]` from places in the result to places in the source. Places are
in half pixels from the picture's centre, and the warp's numbers in parts of a power of two that
depends on the picture's size, so that 32 bits are used up and never exceeded; those of the last
row, which is the small numbers of a perspective, are in finer parts. Sources are in parts of 1/32
pixel: exactly the same on every machine, and as fine as OpenCV's own.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

STEPS = 32
_FINER = 8


def _unit(size: int) -> int:
    # Of 31 bits: 4 for parts of half a pixel, 1 for depths up to 2, the others for the place; and
    # 8 and 1 for the depth itself.
    return int(2 ** min(26 - size.bit_length(), 22))


def fixed(matrix: np.ndarray, size: int) -> np.ndarray:
    """The warp of a homography `[3, 3]` in half pixels from the centre."""
    units = _unit(size) * np.array([[1], [1], [2**_FINER]])
    return np.rint(matrix / matrix[2, 2] * units).astype(np.int32)


def identity(size: int) -> np.ndarray:
    """The warp that leaves a picture of `size` by `size` pixels as it is."""
    return fixed(np.eye(3), size)


def rotation(degrees: float, size: int) -> np.ndarray:
    """Turns a picture about its centre, anticlockwise as it is seen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return fixed(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), size)


def perspective(inset: np.ndarray, size: int) -> np.ndarray:
    """Stretches a quadrilateral within the picture over all of it.

    Args:
      inset: `[4, 2]`, how far its corners lie within the picture's, across and down, in parts of
        the picture's size and less than 1/4: top left, top right, bottom right, bottom left.
      size: height and width in pixels.
    """
    corners = (size - 1) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    within = corners * (1 - 2 * np.asarray(inset, np.float32))
    return fixed(cv2.getPerspectiveTransform(corners, within), size)


def sources(warp: Any, size: int) -> tuple[Any, Any]:
    """Where each pixel comes from, across and down, in parts of 1/32 pixel from the first pixel.

    What lies outside the picture comes from its edge.

    Args:
      warp: int32 `[..., 3, 3]`, an array of NumPy or JAX.
      size: height and width S in pixels.

    Returns:
      Two arrays int32 `[..., S, S]`, from 0 to 32 (S - 1).
    """
    x = np.arange(1 - size, size, 2, dtype=np.int32)
    y = x[:, None]
    entries = warp[..., None, None]
    across, down, depth = (
        entries[..., row, 0, :, :] * x + entries[..., row, 1, :, :] * y + entries[..., row, 2, :, :]
        for row in range(3)
    )
    depth >>= _FINER
    return _parts(across, depth, size), _parts(down, depth, size)


def _parts(place: Any, depth: Any, size: int) -> Any:
    parts = (STEPS // 2 * place + (depth >> 1)) // depth + STEPS // 2 * (size - 1)
    return parts.clip(0, STEPS * (size - 1))
