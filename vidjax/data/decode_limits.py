"""What decoding a video may cost: the one budget of all readers.

A few bytes can stand for any number of pixels, so that the size of a file bounds nothing by itself.
The budget has four parts.

- A frame has at most `Limits.pixels`, and is not much larger than its file allows.
- A video has at most `Limits.frames`, and not many more pixels in all than its file allows.
- Decoding takes at most `Limits.seconds` of one core. Small files get less.
- What is kept of a video takes at most `MOST_KEPT` bytes.

Whole videos are read under `USUAL`. Streams, which keep nothing and may last for hours, are read
under `Limits.in_proportion`: the same cost for each byte, however many there are.

`vidjax.data.containers` holds FFmpeg to it, `vidjax.data.frame_reader` counts each packet and
frame.
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

# Bytes of a video's frames, as pixels or encoded.
MOST_KEPT = 2**31
# Black pictures alone take a byte for 20,000 pixels in H.264 and for 75,000 in AV1 (1920x1080).
# The free pixels are 500 such frames, and one frame of 4096x2048.
_PIXELS_A_BYTE, _FREE_PIXELS, _FREE_FRAME = 2**17, 2**30, 2**23
# A file of this many bytes may take all the seconds; an empty one this share of them.
_ALL_SECONDS_BYTES, _FREE_SECONDS = 2**21, 1 / 20
# A frame in which nothing moves takes more bytes than this in every container.
_BYTES_A_FRAME = 16


class DecodeError(ValueError):
    """A file cannot be decoded as asked."""


class CostError(DecodeError):
    """A file costs more than it may."""


class LateError(CostError):
    """A file takes longer than it may."""


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
      pixels: of a frame.
      frames: of a video.
      seconds: that one core may decode it.
    """

    pixels: int = MOST_PIXELS
    frames: int = 1_000_000
    seconds: float = 600.0

    @classmethod
    def in_proportion(cls, path: str | Path) -> Limits:
        """Limits of a stream: each byte may cost what it may cost in a small file."""
        size = _size(path)
        return cls(
            frames=cls.frames + size // _BYTES_A_FRAME,
            seconds=cls.seconds * max(1.0, size / _ALL_SECONDS_BYTES),
        )


USUAL = Limits()


class Meter:
    """Counts what decoding a file costs, from now on, in this thread.

    Args:
      name: of the file, for errors.
      size: bytes of the file.
      limits: what it may cost.
    """

    def __init__(self, name: object, size: int, limits: Limits) -> None:
        self._name, self._size, self.limits = name, size, limits
        share = min(1.0, _FREE_SECONDS + size / _ALL_SECONDS_BYTES)
        self._seconds = limits.seconds * share
        self._begin, self._pixels = time.thread_time(), 0

    @classmethod
    def of(cls, path: str | Path, limits: Limits = USUAL) -> Meter:
        """A meter for a file."""
        return cls(path, _size(path), limits)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Does not count the seconds within, which are somebody else's."""
        begin = time.thread_time()
        try:
            yield
        finally:
            self._begin += time.thread_time() - begin

    def refuse_late(self) -> None:
        """Raises where decoding has taken too long.

        Raises:
          LateError: it has.
        """
        if time.thread_time() - self._begin > self._seconds:
            raise LateError(
                f"{self._name}: decoding takes more than {self._seconds:.3g} s, the limit for "
                f"{self._size} bytes"
            )

    def refuse_size(self, width: int, height: int) -> None:
        """Raises where frames are too large.

        Args:
          width: of a frame in pixels.
          height: of a frame in pixels.

        Raises:
          CostError: names what is exceeded.
        """
        frame = f"{self._name}: frames of {width}x{height}"
        if width * height > self.limits.pixels:
            raise CostError(f"{frame} exceed the limit of {self.limits.pixels} pixels")
        if max(width, height) > ASPECT * max(1, min(width, height)):
            raise CostError(f"{frame} are more than {ASPECT} times as long as wide")
        if width * height > _FREE_FRAME + self._size * _PIXELS_A_BYTE:
            raise CostError(
                f"{frame} in a file of {self._size} bytes are above the limit of "
                f"{_PIXELS_A_BYTE} pixels a byte"
            )

    def add(self, width: int, height: int) -> None:
        """Counts a frame that was decoded.

        Raises:
          CostError: as `refuse_size`, or all frames together have too many pixels.
        """
        self._pixels += width * height
        if self._pixels > _FREE_PIXELS + self._size * _PIXELS_A_BYTE:
            raise CostError(
                f"{self._name}: {self._size} bytes that stand for more than "
                f"{self._pixels:.1e} pixels in all, above the limit of {_PIXELS_A_BYTE} a byte"
            )
        self.refuse_size(width, height)


def _size(path: str | Path) -> int:
    """Bytes of a file; 0 where there is none, of which opening it tells."""
    try:
        return as_path(path).stat().st_size
    except OSError:
        return 0
