"""How volumes of few cells are laid over the frames of a clip: one spline for every picture.

The first and the last cell lie on the first and the last frame, row and column, and the spline
passes through all cells (thesis, section 7.4 and figure 7.5; CFP, eq. 4).
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage

Size = tuple[int, int, int]
CUBIC = 3
# SciPy has no splines of a higher degree.
HIGHEST = 5


def enlarge(volume: np.ndarray, size: Size, degree: int = CUBIC) -> np.ndarray:
    """Enlarges cells `[T', H', W']` to a clip's `[T, H, W]`.

    Args:
      volume: numbers of any real kind.
      size: T, H, W.
      degree: of the spline, 0 to 5.
    """
    enlarged = np.asarray(volume, np.float64)
    for axis, (old, new) in enumerate(zip(enlarged.shape, size, strict=True)):
        along = np.tensordot(_spline(old, new, degree), enlarged, (1, axis))
        enlarged = np.moveaxis(along, 0, axis)
    return enlarged.astype(np.float32)


@functools.lru_cache(maxsize=64)
def _spline(old: int, new: int, degree: int) -> np.ndarray:
    """What each of `old` cells adds to each of `new`, `[new, old]`.

    A spline in space and time is one along each axis in turn. Each is linear in its cells, so that
    their shares are computed once: that is ten times as fast as a spline in three dimensions.
    """
    factor = new / old
    shares = [ndimage.zoom(cell, factor, order=degree) for cell in np.eye(old)]
    return np.stack(shares, axis=1)


def degree_of(cells: int, frames: int) -> int:
    """The degree that the paper gives a spline: frames over cells (CFP, section 4.2), at most 5."""
    return min(max(frames // cells, 1), HIGHEST)


def frame_of(cell: int, cells: int, frames: int) -> int:
    """The frame that a cell of the time axis lies on; the middle one where there is one cell."""
    last = frames - 1
    return last // 2 if cells == 1 else round(cell * last / (cells - 1))
