"""A video as a file on this machine's own disk, wherever it lies: FFmpeg reads paths alone.

A local file is itself. An object of a bucket is copied to a temporary file, and so are the bytes
of a video that lies in a tar.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vidjax.data.decode_limits import DecodeError
from vidjax.data.manifest_entry import Entry, Place
from vidjax.storage.local_copies import here, scratch
from vidjax.storage.writing import writing_bytes

# Bytes that are copied at once.
_PIECE = 2**20


def shown(file: Path, entry: Entry) -> str:
    """What errors call a video: its file, and of a file of many its name in it."""
    if entry.place is None:
        return str(file)
    return f"{file}/{entry.path.removeprefix(f'{entry.place.file}/')}"


@contextlib.contextmanager
def at_hand(file: Path, entry: Entry, within: Path | None = None) -> Iterator[Path]:
    """A path of this machine's disk with the bytes of a video.

    Args:
      file: where the video lies, or the file of many that it lies in.
      entry: what is known of it.
      within: folder for copies, whose owner tidies up after a process that is killed; the system's
        own if None.

    Raises:
      DecodeError: of whoever decodes it; it names the video, not the copy.
      OSError: the video cannot be read, or its copy not be written.
    """
    held = here(file, within) if entry.place is None else _cut(file, entry.place, within)
    with held as local:
        try:
            yield local
        except DecodeError as error:
            raise type(error)(str(error).replace(str(local), shown(file, entry))) from None


@contextlib.contextmanager
def _cut(file: Path, place: Place, within: Path | None) -> Iterator[Path]:
    with scratch(within) as folder:
        copy = folder / "video"
        with file.open("rb") as stream, writing_bytes(copy) as target:
            stream.seek(place.start)
            left = place.size
            while left and (piece := stream.read(min(left, _PIECE))):
                target.write(piece)
                left -= len(piece)
        yield copy
