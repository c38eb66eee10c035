"""Upsamples small volumes to the frames of a clip, with the same spline for every picture.

The first and the last cell lie on the first and the last frame, row and column. The spline passes
through all cells (thesis, section 7.4 and figure 7.5; CFP, eq. 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Size = tuple[int, int, int]
CUBIC = 3
# SciPy has no splines of higher degree.
HIGHEST = 5


def upsample(volume: np.ndarray, size: Size, degree: int | None = CUBIC) -> np.ndarray:
    """Upsamples cells `[T', H', W']` to `[T, H, W]`, float32.

    Args:
      volume: real numbers.
      size: T, H, W of the result.
      degree: degree of the spline, 0 to 5. None is the paper's choice, `degree_of`.
    """
    degree = degree_of(len(volume), size[0]) if degree is None else degree
    enlarged = np.asarray(volume, np.float32)
    # The spline is separable, and one axis after the other is much faster than all at once.
    for axis, (old, new) in enumerate(zip(enlarged.shape, size, strict=True)):
        shares = spline(old, np.linspace(0, old - 1, new), degree)
        enlarged = np.moveaxis(np.tensordot(shares, enlarged, (1, axis)), 0, axis)
    return np.ascontiguousarray(enlarged)


def degree_of(cells: int, frames: int) -> int:
    """Returns the paper's degree of a spline: frames over cells (CFP, section 4.2), at most 5."""
    return min(max(frames // cells, 1), HIGHEST)


def frame_of(cell: int, cells: int, frames: int) -> int:
    """Returns the frame that a cell of the time axis lies on; the middle one for a single cell."""
    last = frames - 1
    return last // 2 if cells == 1 else round(cell * last / (cells - 1))


@dataclass(frozen=True)
class Surface:
    """A volume that is upsampled to pictures one at a time, by the same spline as `upsample`.

    Upsampling one picture at a time keeps memory small for videos with large frames.

    Attributes:
      volume: `[T, H, W]`.
      down: `[H', H]`, the weights of the volume's rows in each row of the pictures.
      across: `[W', W]`, the weights of the volume's columns in each column of the pictures.
      degree: degree of the spline in time.
    """

    volume: np.ndarray
    down: np.ndarray
    across: np.ndarray
    degree: int

    @classmethod
    def over(
        cls,
        volume: np.ndarray,
        rows: Sequence[float] | np.ndarray,
        columns: Sequence[float] | np.ndarray,
        degree: int = CUBIC,
    ) -> Surface:
        """Prepares a volume for pictures of another size.

        Args:
          volume: `[T, H, W]`.
          rows: position of each picture row between the rows of the volume, from 0 to H - 1.
          columns: position of each picture column, from 0 to W - 1.
          degree: degree of the spline, 0 to 5.
        """
        _, height, width = volume.shape
        down, across = spline(height, rows, degree), spline(width, columns, degree)
        return cls(np.asarray(volume, np.float32), down, across, degree)

    def at(self, moment: float) -> np.ndarray:
        """Returns the picture at a time between the volume's frames, float32 `[H', W']`."""
        (share,) = spline(len(self.volume), [moment], self.degree)
        # Only a few frames have a weight that matters.
        used = np.flatnonzero(np.abs(share) > 1e-6)
        plane = np.tensordot(share[used], self.volume[used], 1)
        return self.down @ plane @ self.across.T


def spline(count: int, places: Sequence[float] | np.ndarray, degree: int = CUBIC) -> np.ndarray:
    """Returns the weights of `count` points in a spline through them, float32 `[places, count]`.

    Args:
      count: number of points; they lie at 0, 1, 2, ...
      places: positions from 0 to count - 1. Positions outside are clipped.
      degree: degree of the spline, 0 to 5.
    """
    inside = np.clip(np.asarray(places, float), 0, count - 1)
    grid = np.meshgrid(inside, np.arange(count), indexing="ij")
    found = ndimage.map_coordinates(np.eye(count), grid, order=degree, mode="mirror")
    return found.astype(np.float32)
