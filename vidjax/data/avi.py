"""Checks whether an AVI file is complete."""

from __future__ import annotations

import struct
from pathlib import Path


def is_whole_avi(file: Path) -> bool:
    """Returns whether a file is an AVI that is not truncated; False for other formats.

    AVI repeats a frame by an empty chunk, which the header counts but no reader returns. So the
    number of frames does not show a truncation. The lengths in its RIFF chunks do; files above a
    gigabyte have several of these.
    """
    size, end = file.stat().st_size, 0
    with file.open("rb") as stream:
        while end < size:
            stream.seek(end)
            head = stream.read(12)
            if len(head) < 12 or head[:4] != b"RIFF" or head[8:11] != b"AVI":
                # Data after the last RIFF chunk is not part of the video.
                return end > 0
            (length,) = struct.unpack("<I", head[4:8])
            if not length or end + 8 + length > size:
                return False
            end += 8 + length + length % 2
    return end > 0
