"""Checksums of a checkpoint's files, kept beside them, to detect bit rot on disk.

They are CRC-32, so they detect damage but not malice. A GiB takes 0.4 to 0.7 s of one core, once
after writing, in the thread that saves, and once before restoring.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.storage.local_copies import local_folder_copy

FILE = "checksums.json"
# Orbax writes these files after everything else, and restores without them.
_LATER = ("_CHECKPOINT_METADATA", "commit_success.txt")
_CHUNK = 1 << 22


class DamageError(ValueError):
    """A file differs from what was saved."""


class _Sums(msgspec.Struct):
    """The content of the checksum file: facts of each file by name, and a checksum of them all."""

    files: dict[str, dict[str, Any]]
    own: str = ""


def seal(folder: Path) -> None:
    """Writes size and checksum of every file in a folder to `checksums.json` in it.

    Files in a bucket are fetched, many at a time.

    Raises:
      OSError: the folder cannot be read or written.
    """
    with local_folder_copy(folder) as here:
        files = {file.relative_to(here).as_posix(): _facts(file) for file in _files(here)}
    records.write(folder / FILE, {"files": files, "own": _own(files)})


def verify(folder: Path) -> bool:
    """Compares the files of a folder with its checksums.

    Returns:
      False if the folder has no checksums.

    Raises:
      DamageError: names the first file that differs from what was saved.
      OSError: a file cannot be read.
    """
    if not (folder / FILE).is_file():
        return False
    try:
        found = records.read(folder / FILE, _Sums, "", records.MOST_OF_TABLE)
    except records.RecordError:
        raise DamageError(f"{folder / FILE} is damaged") from None
    files = found.files
    if found.own != _own(files):
        raise DamageError(f"{folder / FILE} is damaged: it does not fit its own checksum")
    there = {file.relative_to(folder).as_posix() for file in _files(folder)}
    for name, facts in files.items():
        if name not in there:
            raise DamageError(f"{folder / name} is absent")
        if _facts(folder / name) != facts:
            raise DamageError(f"{folder / name} is damaged: its checksum is not the saved one")
    return True


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in (*_LATER, FILE):
            yield file


def _facts(file: Path) -> dict[str, Any]:
    crc, size = 0, 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return {"bytes": size, "crc32": f"{crc:08x}"}


def _own(files: dict[str, Any]) -> str:
    return f"{zlib.crc32(repr(sorted(files.items())).encode()):08x}"
