"""A video as it is shown, and where in it the clip lies that a network saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vidjax.explain.upsampling import Size, Surface

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Footage:
    """The frames between the first and the last of a clip, whole, at their own size and rate.

    Attributes:
      frames: gives them anew at each call, uint8 `[H, W, 3]`.
      fps: frames a second.
      size: H and W.
      window: top, left, height and width of what the network saw, in pixels of the frames.
      clip: frames, height and width of the clip.
      places: of each frame, where it lies between the clip's frames, from 0 to T - 1.
      start: seconds from the video's beginning to the first frame.
      name: of the video's file.
    """

    frames: Callable[[], Iterator[np.ndarray]] = field(repr=False, compare=False)
    fps: float
    size: tuple[int, int]
    window: Window
    clip: Size
    places: tuple[float, ...]
    start: float = 0.0
    name: str = ""

    @classmethod
    def of_clip(cls, frames: np.ndarray, fps: float) -> Footage:
        """A clip uint8 `[T, H, W, 3]` by itself, where nobody has its video."""
        count, height, width = frames.shape[:3]
        window = (0.0, 0.0, float(height), float(width))
        places = tuple(map(float, range(count)))
        return cls(
            lambda: iter(frames), fps, (height, width), window, (count, height, width), places
        )

    @property
    def times(self) -> np.ndarray:
        """Seconds of the frames from the video's beginning, float64 `[N]`."""
        return self.start + np.arange(len(self.places)) / self.fps

    def surface(self, volume: np.ndarray, scale: float = 1.0) -> Surface:
        """A volume `[T, H, W]` of the clip, laid over frames that are so many times as large.

        What lies outside of the window gets what is nearest in it: `inside` says where that is.
        """
        top, left, height, width = self.window
        rows = _places(self.sizes(scale)[0], scale, top, height, self.clip[1])
        columns = _places(self.sizes(scale)[1], scale, left, width, self.clip[2])
        return Surface.over(volume, rows, columns)

    def inside(self, scale: float = 1.0) -> np.ndarray:
        """Which pixels of such frames the network saw, bool `[H, W]`."""
        top, left, height, width = self.window
        rows, columns = map(np.arange, self.sizes(scale))
        return np.logical_and.outer(
            _within(rows, scale, top, height), _within(columns, scale, left, width)
        )

    def sizes(self, scale: float) -> tuple[int, int]:
        """Height and width of such frames."""
        height, width = self.size
        return max(1, round(height * scale)), max(1, round(width * scale))


def _places(count: int, scale: float, begin: float, length: float, cells: int) -> np.ndarray:
    """Where the pixels of a frame lie between those of the clip, along one axis.

    Resizing keeps edges where they are: the middle of pixel k is at k + 0.5.
    """
    middles = (np.arange(count) + 0.5) / scale
    return (middles - begin) / length * cells - 0.5


def _within(pixels: np.ndarray, scale: float, begin: float, length: float) -> np.ndarray:
    middles = (pixels + 0.5) / scale
    return (middles >= begin) & (middles < begin + length)
