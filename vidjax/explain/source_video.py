"""The video that a clip was cut from, and where in it the clip lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vidjax.explain.upsampling import Size, Surface

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class SourceVideo:
    """The part of a video between a clip's first and last frame: whole frames, original frame rate.

    Attributes:
      frames: returns an iterator over the frames, uint8 `[H, W, 3]`; each call starts anew.
      fps: frames per second.
      size: height and width of the frames.
      window: top, left, height and width of the network's crop, in pixels of the frames.
      clip: number of frames, height and width of the clip.
      places: position of each frame between the clip's frames, from 0 to T - 1.
      start: time of the first frame in the video, in seconds.
      name: name of the video file.
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
    def of_clip(cls, frames: np.ndarray, fps: float) -> SourceVideo:
        """Makes a clip uint8 `[T, H, W, 3]` its own source, for a clip without a video."""
        count, height, width = frames.shape[:3]
        window = (0.0, 0.0, float(height), float(width))
        places = tuple(map(float, range(count)))
        return cls(
            lambda: iter(frames), fps, (height, width), window, (count, height, width), places
        )

    @property
    def times(self) -> np.ndarray:
        """Time of each frame in the video in seconds, float64 `[N]`."""
        return self.start + np.arange(len(self.places)) / self.fps

    def surface(self, volume: np.ndarray, scale: float = 1.0) -> Surface:
        """Prepares a volume `[T, H, W]` of the clip for frames that are scaled by `scale`.

        Pixels outside of the crop get the nearest value inside; use `inside` to tell them apart.
        """
        top, left, height, width = self.window
        rows = _places(self.sizes(scale)[0], scale, top, height, self.clip[1])
        columns = _places(self.sizes(scale)[1], scale, left, width, self.clip[2])
        return Surface.over(volume, rows, columns)

    def inside(self, scale: float = 1.0) -> np.ndarray:
        """Returns which pixels of frames scaled by `scale` the network saw, bool `[H, W]`."""
        top, left, height, width = self.window
        rows, columns = map(np.arange, self.sizes(scale))
        return np.logical_and.outer(
            _within(rows, scale, top, height), _within(columns, scale, left, width)
        )

    def sizes(self, scale: float) -> tuple[int, int]:
        """Returns height and width of frames scaled by `scale`."""
        height, width = self.size
        return max(1, round(height * scale)), max(1, round(width * scale))


def _places(count: int, scale: float, begin: float, length: float, cells: int) -> np.ndarray:
    """Returns the position of a frame's pixels between the clip's pixels along one axis.

    Resizing keeps edges where they are: the centre of pixel k is at k + 0.5.
    """
    middles = (np.arange(count) + 0.5) / scale
    return (middles - begin) / length * cells - 0.5


def _within(pixels: np.ndarray, scale: float, begin: float, length: float) -> np.ndarray:
    middles = (pixels + 0.5) / scale
    return (middles >= begin) & (middles < begin + length)
