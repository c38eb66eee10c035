"""Bounds the decompressed size of zstd data, without decompressing it.

A frame is a header and blocks. A block decompresses to at most the window size that the header
states, or 128 KiB. RFC 8878, section 3.1.1.
"""

from __future__ import annotations

import mmap

_MAGIC = b"\x28\xb5\x2f\xfd"
_LONGEST_BLOCK = 2**17
_ONE_BYTE, _COMPRESSED = 1, 2


def decompressed_bound(content: bytes | mmap.mmap, start: int, end: int) -> int:
    """Returns a bound of a frame's decompressed size in bytes; 0 if no frame begins there.

    Args:
      content: data that holds the frame.
      start: offset at which the frame begins.
      end: offset by which the frame must have ended.
    """
    if content[start : start + 4] != _MAGIC or start + 6 > end:
        return 0
    header, place = content[start + 4], start + 5
    whole_is_window = header >> 5 & 1
    window = 0
    if not whole_is_window:
        exponent, eighths = content[place] >> 3, content[place] & 7
        window = (1 << (10 + exponent)) // 8 * (8 + eighths)
    # An identifier of a dictionary, then the size of the whole.
    place += (1 - whole_is_window) + (0, 1, 2, 4)[header & 3]
    width = (whole_is_window, 2, 4, 8)[header >> 6]
    if whole_is_window:
        window = int.from_bytes(content[place : place + width], "little") + 256 * (width == 2)
    return _blocks(content, place + width, end, min(window, _LONGEST_BLOCK))


def _blocks(content: bytes | mmap.mmap, place: int, end: int, longest: int) -> int:
    total, last = 0, False
    while not last and place + 3 <= end:
        head = int.from_bytes(content[place : place + 3], "little")
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        total += longest if kind == _COMPRESSED else min(size, longest)
        place += 3 + (1 if kind == _ONE_BYTE else size)
    return total
