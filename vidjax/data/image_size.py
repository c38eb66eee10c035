"""Reads the size of an encoded image from its header, before anything is decoded."""

from __future__ import annotations

import struct

# 192 MiB in RGB.
MOST_PIXELS = 8192 * 8192

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG = b"\xff\xd8"
# Start-of-frame markers (SOF0 to SOF15) without the three markers of tables in that range.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(data: bytes) -> tuple[int, int]:
    """Returns height and width in pixels of a JPEG (ITU T.81, B.2) or PNG.

    Raises:
      ValueError: the data is neither, or its header is damaged.
    """
    try:
        if data[:16] == _PNG:
            width, height = struct.unpack_from(">II", data, 16)
            return height, width
        if data[:2] == _JPEG:
            return _jpeg_size(data)
    except (struct.error, IndexError):
        pass
    raise ValueError(f"{len(data)} bytes of a stored frame are not a readable JPEG or PNG")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    place = 2
    while data[place] == 0xFF:
        if data[place + 1] in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return height, width
        # Any number of fill bytes may precede a marker.
        filled = data[place + 1] == 0xFF
        place += 1 if filled else 2 + struct.unpack_from(">H", data, place + 2)[0]
    raise IndexError(place)
