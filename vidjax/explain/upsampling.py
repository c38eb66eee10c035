"""How volumes of few cells are laid over the frames of a clip: one spline for every picture.

The first and the last cell lie on the first and the last frame, row and column, and the spline
passes through all cells (thesis, section 7.4 and figure 7.5; CFP, eq. 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Size = tuple[int, int, int]
CUBIC = 3
# SciPy has no splines of a higher degree.
HIGHEST = 5


def enlarge(volume: np.ndarray, size: Size, degree: int | None = CUBIC) -> np.ndarray:
    """Enlarges cells `[T', H', W']` to a clip's `[T, H, W]`.

    Args:
      volume: numbers of any real kind.
      size: T, H, W.
      degree: of the spline, 0 to 5; None is the paper's, `degree_of`.
    """
    degree = degree_of(len(volume), size[0]) if degree is None else degree
    enlarged = np.asarray(volume, np.float32)
    # In space and time a spline is one along each axis in turn: much faster than all at once.
    for axis, (old, new) in enumerate(zip(enlarged.shape, size, strict=True)):
        shares = spline(old, np.linspace(0, old - 1, new), degree)
        enlarged = np.moveaxis(np.tensordot(shares, enlarged, (1, axis)), 0, axis)
    return np.ascontiguousarray(enlarged)


def degree_of(cells: int, frames: int) -> int:
    """The degree that the paper gives a spline: frames over cells (CFP, section 4.2), at most 5."""
    return min(max(frames // cells, 1), HIGHEST)


def frame_of(cell: int, cells: int, frames: int) -> int:
    """The frame that a cell of the time axis lies on; the middle one where there is one cell."""
    last = frames - 1
    return last // 2 if cells == 1 else round(cell * last / (cells - 1))


@dataclass(frozen=True)
class Surface:
    """A volume laid over pictures of another size, at any moment: the spline of `enlarge`.

    It is computed a picture at a time, so that a video of large frames takes little memory.

    Attributes:
      volume: `[T, H, W]`.
      down: `[H', H]`, what each row of the pictures takes of the rows of the volume.
      across: `[W', W]`, likewise of columns.
      degree: of the spline in time.
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
        """Lays a volume over pictures.

        Args:
          volume: `[T, H, W]`.
          rows: place of each row of the pictures between the rows of the volume, from 0 to H - 1.
          columns: likewise.
          degree: of the spline, 0 to 5.
        """
        _, height, width = volume.shape
        down, across = spline(height, rows, degree), spline(width, columns, degree)
        return cls(np.asarray(volume, np.float32), down, across, degree)

    def at(self, moment: float) -> np.ndarray:
        """The picture at a place between the volume's frames, float32 `[H', W']`."""
        (share,) = spline(len(self.volume), [moment], self.degree)
        # Few frames have a share that counts.
        used = np.flatnonzero(np.abs(share) > 1e-6)
        plane = np.tensordot(share[used], self.volume[used], 1)
        return self.down @ plane @ self.across.T


def spline(count: int, places: Sequence[float] | np.ndarray, degree: int = CUBIC) -> np.ndarray:
    """What a spline through so many points takes of each, float32 `[places, count]`.

    Args:
      count: of points, which lie at 0, 1, 2, ...
      places: from 0 to count - 1; what lies outside gets the end.
      degree: of the spline, 0 to 5.
    """
    inside = np.clip(np.asarray(places, float), 0, count - 1)
    grid = np.meshgrid(inside, np.arange(count), indexing="ij")
    found = ndimage.map_coordinates(np.eye(count), grid, order=degree, mode="mirror")
    return found.astype(np.float32)
