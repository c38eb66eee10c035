"""Gives FFmpeg, which reads only paths, a local file for every video.

A local file is used directly. A video in a bucket or inside a tar is copied to a temporary file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vidjax.data.decode_limits import DecodeError
from vidjax.data.manifest_entry import Entry, Place
from vidjax.storage.local_copies import local_copy, scratch
from vidjax.storage.writing import writing_bytes

# Bytes copied at a time.
_PIECE = 2**20


def shown(file: Path, entry: Entry) -> str:
    """Returns a video's name for errors: its file, or `archive.tar/name` for a video in a tar."""
    if entry.place is None:
        return str(file)
    return f"{file}/{entry.path.removeprefix(f'{entry.place.file}/')}"


@contextlib.contextmanager
def local_video(file: Path, entry: Entry, within: Path | None = None) -> Iterator[Path]:
    """Opens a context with a local path to the bytes of a video.

    Args:
      file: the video, or the archive that contains it.
      entry: the video's manifest entry.
      within: folder for temporary copies, which its owner cleans up if this process is killed. None
        uses the system's temporary folder.

    Raises:
      DecodeError: raised by the code in the context; the message names the video, not the copy.
      OSError: the video cannot be read, or its copy cannot be written.
    """
    held = local_copy(file, within) if entry.place is None else _cut(file, entry.place, within)
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
