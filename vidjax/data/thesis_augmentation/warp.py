"""Rotation and perspective in integer arithmetic: the source position of each output pixel.

A warp is a homography int32 `[3, 3]` from output to source positions in a square image. Positions
are in half pixels from the image centre. The entries are fixed-point numbers whose scale, a power
of two, depends on the image size, so that products use 32 bits fully and never overflow. The last
row has the small numbers of a perspective and is scaled more finely. Source positions are in units
of 1/32 pixel: identical on every machine, and as fine as OpenCV's own.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

STEPS = 32
_FINER = 8


def _unit(size: int) -> int:
    # # Of 31 bits, 4 hold fractions of half a pixel, 1 holds depths up to 2, and the rest hold the
    # position. The depth has `_FINER` more fractional bits.
    return int(2 ** min(26 - size.bit_length(), 22))


def fixed(matrix: np.ndarray, size: int) -> np.ndarray:
    """Converts a homography `[3, 3]`, in half pixels from the centre, to a warp."""
    units = _unit(size) * np.array([[1], [1], [2**_FINER]])
    return np.rint(matrix / matrix[2, 2] * units).astype(np.int32)


def identity(size: int) -> np.ndarray:
    """Returns the warp that leaves an image of `size` by `size` pixels unchanged."""
    return fixed(np.eye(3), size)


def rotation(degrees: float, size: int) -> np.ndarray:
    """Returns the warp that rotates an image about its centre, anticlockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return fixed(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), size)


def perspective(inset: np.ndarray, size: int) -> np.ndarray:
    """Returns the warp that stretches a quadrilateral inside the image over the whole image.

    Args:
      inset: `[4, 2]`, horizontal and vertical distance of each corner of the quadrilateral from the
        image's corner, as a fraction of the image size below 1/4. The order is top left, top right,
        bottom right, bottom left.
      size: height and width in pixels.
    """
    corners = (size - 1) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    within = corners * (1 - 2 * np.asarray(inset, np.float32))
    return fixed(cv2.getPerspectiveTransform(corners, within), size)


def sources(warp: Any, size: int) -> tuple[Any, Any]:
    """Computes the source position of each pixel, horizontal and vertical, in units of 1/32 pixel.

    Positions count from the first pixel. Those outside the image are clamped to its edge.

    Args:
      warp: int32 `[..., 3, 3]`, a NumPy or JAX array.
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
