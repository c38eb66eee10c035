"""Reads a segment of a video file: its frames in display order, and their images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.video
import numpy as np

from vidjax.data.decode_limits import DecodeError, Meter
from vidjax.data.deinterlace import deinterlaced
from vidjax.data.frame_reader import open_at
from vidjax.data.orientation import oriented_image
from vidjax.data.timestamps import Clock, stated_rate
from vidjax.data.transforms import resize, short_side_size

# Tolerance for rounding in sums of seconds, at the start and end of a segment.
_EXACT = 1e-6


class VideoSegment:
    """Reads a file from `start` to `end`, once.

    Args:
      path: file or URL.
      meter: enforces the decoding limits.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end of the video.
      short_side: shorter side in pixels that larger frames are resized to; None keeps the size.

    Attributes:
      stated: frame rate in the header, set with the first frame; 0 if the header states none.
      ordered: whether times come in order, set with the first frame. AVI has no time stamps: its
        times are guessed from the decoding order and must be sorted.
      size: height and width of the images, set with the first one.
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
        """Yields the frames with their time in seconds.

        Raises:
          DecodeError: the file cannot be opened or is broken.
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

    def image(self, frame: av.VideoFrame) -> np.ndarray:
        """Converts a frame to an RGB image uint8 `[H, W, 3]`, rotated and resized."""
        image = oriented_image(frame)
        if self._short_side:
            height, width = image.shape[:2]
            size = short_side_size(height, width, self._short_side, upscale=False)
            image = resize(image[None], size)[0]
        height, width = image.shape[:2]
        # Some streams change their size midway; all frames get the first size.
        self.size = self.size or (height, width)
        return resize(image[None], self.size)[0]

    def nothing(self) -> DecodeError:
        """Makes the error for a segment without frames."""
        end = "its end" if self._end is None else self._end
        span = f" between {self._start:g} s and {end}" if self._seen else ""
        return DecodeError(f"{self._path}: a video without frames{span}")
