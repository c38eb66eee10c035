"""A piece of a video file: its frames in the order they are shown, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.video
import numpy as np

from vidjax.data.decode_limits import DecodeError, Meter
from vidjax.data.deinterlace import deinterlaced
from vidjax.data.frame_reader import open_at
from vidjax.data.orientation import upright
from vidjax.data.timestamps import Clock, stated_rate
from vidjax.data.transforms import resize, short_side_size

# Sums of seconds are rounded; a frame this near to a piece's start or end is at it.
_EXACT = 1e-6


class Piece:
    """Reads a file from `start` to `end`, once.

    Args:
      path: file.
      meter: counts what it costs.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.
      short_side: pixels that a longer short side is reduced to; None keeps all.

    Attributes:
      stated: frames a second by the header, when the first frame is there; 0 where it states none.
      ordered: whether times come in order, when the first frame is there. AVI has no time stamps:
        its times are guessed from the order of decoding, and have to be sorted.
      size: height and width of the pictures, when the first one is there.
    """

    def __init__(
        self,
        path: str | Path,
        meter: Meter,
        *,
        start: float | None = None,
        end: float | None = None,
        short_side: int | None = None,
    ) -> None:
        self._path, self._meter = path, meter
        self._start, self._end, self._short_side = start or 0.0, end, short_side
        self._seen = 0
        self.stated, self.ordered = 0.0, True
        self.size: tuple[int, int] | None = None

    def frames(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """The frames and their seconds.

        Raises:
          DecodeError: the file cannot be opened, or breaks.
        """
        with open_at(self._path, self._start, self._meter) as (stream, origin, frames):
            self.stated = stated_rate(stream)
            self.ordered = stream.container.format.name != "avi"
            for frame, time in Clock(stream, origin).timed(deinterlaced(frames)):
                self._seen += 1
                if self._end is not None and time >= self._end - _EXACT:
                    return
                if time >= self._start - _EXACT:
                    yield frame, time

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """What a frame shows, uint8 `[H, W, 3]`, RGB."""
        picture = upright(frame)
        if self._short_side:
            height, width = picture.shape[:2]
            size = short_side_size(height, width, self._short_side, upscale=False)
            picture = resize(picture[None], size)[0]
        height, width = picture.shape[:2]
        # Some streams change their size midway; a video has one.
        self.size = self.size or (height, width)
        return resize(picture[None], self.size)[0]

    def nothing(self) -> DecodeError:
        """What to raise where no frame has come."""
        end = "its end" if self._end is None else self._end
        span = f" between {self._start:g} s and {end}" if self._seen else ""
        return DecodeError(f"{self._path}: a video without frames{span}")
