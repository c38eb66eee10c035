"""What decoding a video may cost: size and shape of its frames, their number, and all their pixels.

A few bytes can stand for any number of pixels, so that the size of a file bounds nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from vidjax.data.transforms import ASPECT

# Black pictures alone take a byte for 20,000 pixels in H.264 and for 75,000 in AV1 (1920x1080).
# The free pixels are 500 such frames.
_PIXELS_A_BYTE, _FREE_PIXELS = 2**17, 2**30


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
      pixels: of a frame.
      frames: of a video.
    """

    pixels: int = 8192 * 8192
    frames: int = 1_000_000


class Meter:
    """Counts what the frames of a file cost.

    Args:
      size: bytes of the file.
      limits: what it may cost.
    """

    def __init__(self, size: int, limits: Limits) -> None:
        self._size, self._limits = size, limits
        self._pixels = 0

    def excess(self, width: int, height: int) -> str:
        """What a frame of `width` by `height` pixels exceeds; empty if nothing."""
        if width * height > self._limits.pixels:
            return f"frames of {width}x{height} exceed the limit of {self._limits.pixels} pixels"
        if max(width, height) > ASPECT * max(1, min(width, height)):
            return f"frames of {width}x{height} are more than {ASPECT} times as long as wide"
        return ""

    def add(self, width: int, height: int) -> str:
        """As `excess`, and counts a frame that was decoded."""
        self._pixels += width * height
        if self._pixels > _FREE_PIXELS + self._size * _PIXELS_A_BYTE:
            return (
                f"{self._size} bytes that stand for more than {self._pixels:.1e} pixels in all, "
                f"above the limit of {_PIXELS_A_BYTE} a byte"
            )
        return self.excess(width, height)
