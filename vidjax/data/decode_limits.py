"""Limits on the cost of decoding a video, shared by all readers.

A few bytes can decode to any number of pixels, so the file size alone limits nothing. There are
four limits.

- A frame has at most `Limits.pixels`, and is not much larger than the file size allows.
- A video has at most `Limits.frames`, and not many more pixels in total than the file size allows.
- Decoding takes at most `Limits.seconds` of one core. Small files get less time.
- The frames kept in memory take at most `MOST_KEPT` bytes.

Whole videos are read with the limits `USUAL`. Streams keep no frames and may last for hours. They
are read with `Limits.in_proportion`: the same cost per byte, however long the file is.

`vidjax.data.containers` enforces the limits on FFmpeg, and `vidjax.data.frame_reader` counts
packets and frames.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vidjax.data.image_size import MOST_PIXELS
from vidjax.data.transforms import ASPECT
from vidjax.storage.paths import as_path

# Bytes of a video's frames in memory, as pixels or encoded.
MOST_KEPT = 2**31
# Black frames take a byte per 20,000 pixels in H.264 and per 75,000 in AV1 (1920x1080). Pixels that
# are always allowed: 500 such frames in total, and 4096x2048 in one frame.
_PIXELS_A_BYTE, _FREE_PIXELS, _FREE_FRAME = 2**17, 2**30, 2**23
# A file of this many bytes gets the full time limit; an empty file gets this fraction of it.
_ALL_SECONDS_BYTES, _FREE_SECONDS = 2**21, 1 / 20
# A static frame takes more bytes than this in every container.
_BYTES_A_FRAME = 16


class DecodeError(ValueError):
    """A file cannot be decoded as requested."""


class DecodeLimitError(DecodeError):
    """A file exceeds a decoding limit."""


class DecodeTimeoutError(DecodeLimitError):
    """A file exceeds the time limit for decoding."""


@dataclass(frozen=True)
class Limits:
    """Decoding limits of a file.

    Attributes:
      pixels: most pixels of a frame.
      frames: most frames of a video.
      seconds: most CPU time for decoding, in seconds of one core.
    """

    pixels: int = MOST_PIXELS
    frames: int = 1_000_000
    seconds: float = 600.0

    @classmethod
    def in_proportion(cls, path: str | Path) -> Limits:
        """Returns the limits of a stream, proportional to the size of its file."""
        size = _size(path)
        return cls(
            frames=cls.frames + size // _BYTES_A_FRAME,
            seconds=cls.seconds * max(1.0, size / _ALL_SECONDS_BYTES),
        )


USUAL = Limits()


class Meter:
    """Measures the cost of decoding a file, from its creation on, in the current thread.

    Args:
      name: name of the file, for errors.
      size: size of the file in bytes.
      limits: decoding limits.
    """

    def __init__(self, name: object, size: int, limits: Limits) -> None:
        self._name, self._size, self.limits = name, size, limits
        share = min(1.0, _FREE_SECONDS + size / _ALL_SECONDS_BYTES)
        self._seconds = limits.seconds * share
        self._begin, self._pixels = time.thread_time(), 0

    @classmethod
    def of(cls, path: str | Path, limits: Limits = USUAL) -> Meter:
        """Makes a meter for a file."""
        return cls(path, _size(path), limits)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Opens a context whose time is not counted, because it belongs to the caller."""
        begin = time.thread_time()
        try:
            yield
        finally:
            self._begin += time.thread_time() - begin

    def refuse_late(self) -> None:
        """Raises an error if decoding has taken too long.

        Raises:
          DecodeTimeoutError: the time limit is exceeded.
        """
        if time.thread_time() - self._begin > self._seconds:
            raise DecodeTimeoutError(
                f"{self._name}: decoding takes longer than {self._seconds:.3g} s, the limit for "
                f"{self._size} bytes"
            )

    def refuse_size(self, width: int, height: int) -> None:
        """Raises an error if frames are too large.

        Args:
          width: width of a frame in pixels.
          height: height of a frame in pixels.

        Raises:
          DecodeLimitError: names the exceeded limit.
        """
        frame = f"{self._name}: frames of {width}x{height}"
        if width * height > self.limits.pixels:
            raise DecodeLimitError(f"{frame} exceed the limit of {self.limits.pixels} pixels")
        if max(width, height) > ASPECT * max(1, min(width, height)):
            raise DecodeLimitError(f"{frame} have an aspect ratio above {ASPECT}")
        if width * height > _FREE_FRAME + self._size * _PIXELS_A_BYTE:
            raise DecodeLimitError(
                f"{frame} in a file of {self._size} bytes exceed the limit of "
                f"{_PIXELS_A_BYTE} pixels per byte"
            )

    def add(self, width: int, height: int) -> None:
        """Counts a decoded frame.

        Raises:
          DecodeLimitError: like `refuse_size`, or all frames together have too many pixels.
        """
        self._pixels += width * height
        if self._pixels > _FREE_PIXELS + self._size * _PIXELS_A_BYTE:
            raise DecodeLimitError(
                f"{self._name}: {self._size} bytes decode to more than {self._pixels:.1e} pixels "
                f"in total, above the limit of {_PIXELS_A_BYTE} per byte"
            )
        self.refuse_size(width, height)


def _size(path: str | Path) -> int:
    """Returns the size of a file in bytes; 0 if it is missing, which opening it reports."""
    try:
        return as_path(path).stat().st_size
    except OSError:
        return 0
