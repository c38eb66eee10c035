"""Whether an AVI file is as long as it says."""

from __future__ import annotations

import struct
from pathlib import Path


def is_whole_avi(file: Path) -> bool:
    """Whether a file is an AVI that ends no earlier than its parts say; False of other files.

    An AVI repeats a frame by a chunk without bytes, which its header counts and no reader sees, so
    that the number of frames does not tell whether some were cut off. Its parts say how long they
    are (RIFF; of more than a gigabyte there are several).
    """
    size, end = file.stat().st_size, 0
    with file.open("rb") as stream:
        while end < size:
            stream.seek(end)
            head = stream.read(12)
            if len(head) < 12 or head[:4] != b"RIFF" or head[8:11] != b"AVI":
                # What follows the last part is no part of the video.
                return end > 0
            (length,) = struct.unpack("<I", head[4:8])
            if not length or end + 8 + length > size:
                return False
            end += 8 + length + length % 2
    return end > 0
