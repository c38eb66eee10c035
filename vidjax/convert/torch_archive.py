"""Reads the two file formats of `torch.save`: finds the pickle and the storages in them.

A storage is read only when it is needed. Storages never overlap, so all of them together take no
more memory than the file is long.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from vidjax.convert.torch_pickles import DTYPES, CheckpointError, load, short

MAGIC = pickle.encode_long(0x1950A86A20F9469CFC6C)
# An entry of a zip file takes 46 bytes and its name in the directory, and 700 bytes in memory.
_LARGEST_DIRECTORY = 2**24
Read = Callable[[str], np.ndarray]


class _Directory(io.BufferedReader):
    """A zip file whose directory is read only if its size is plausible for a checkpoint."""

    def read(self, count: int | None = -1) -> bytes:
        if count is not None and count > _LARGEST_DIRECTORY:
            raise CheckpointError(
                f"is a zip file with a directory of {count} bytes; torch.save writes a shorter one"
            )
        return super().read(count)


def open_zip(stream: io.BufferedReader, size: int) -> tuple[Any, Read]:
    """Returns the pickled tree of a zip file, and a reader that gives a storage's bytes `[N]`."""
    with _Directory(io.FileIO(stream.name)) as directory, zipfile.ZipFile(directory) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
    root = next((n[: -len("data.pkl")] for n in entries if n.endswith("/data.pkl")), None)
    packed = any(each.compress_type or each.flag_bits & 1 for each in entries.values())
    if root is None or packed:  # a compressed entry could grow without limit
        raise CheckpointError("is a zip file, but torch.save did not write it")
    if sum(entry.file_size for entry in entries.values()) > size:
        raise CheckpointError("seems to be damaged: the entries of this zip file overlap")

    def read(name: str) -> np.ndarray:
        if (entry := entries.get(f"{root}{name}")) is None:
            raise CheckpointError(f"seems to be damaged: it has no {short(name)!r}")
        stream.seek(_start(stream, entry))
        return _checked(_numbers(stream, entry.file_size, name), entry, name)

    if f"{root}byteorder" in entries and read("byteorder").tobytes() != b"little":
        raise CheckpointError("is big-endian: save it again on a little-endian machine")
    pickled = read("data.pkl")
    tree, _kinds = load(io.BytesIO(pickled.data), pickled.nbytes)
    return tree, lambda key: read(f"data/{key}")


def _start(stream: io.BufferedReader, entry: zipfile.ZipInfo) -> int:
    """Returns the offset of an entry's data, which follows its own header."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if header[:4] != b"PK\3\4" or len(header) != 30:
        raise CheckpointError("seems to be damaged: the directory of this zip file is wrong")
    name, extra = struct.unpack("<2H", header[26:])
    return entry.header_offset + 30 + int(name) + int(extra)


def _checked(numbers: np.ndarray, entry: zipfile.ZipInfo, name: str) -> np.ndarray:
    if zlib.crc32(numbers.data) != entry.CRC:
        raise CheckpointError(f"Bad CRC-32 for {short(name)!r}: the file is damaged")
    return numbers


def open_legacy(stream: io.BufferedReader, size: int) -> tuple[Any, Read]:
    """Does the same as `open_zip` for a file from before PyTorch 1.6."""
    for _ in ("magic number", "protocol", "system"):
        load(stream, size)
    tree, kinds = load(stream, size)
    keys, _ = load(stream, size)
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        if key in places:
            raise CheckpointError(f"seems to be damaged: storage {short(key)!r} is there twice")
        head = stream.read(8)
        if len(head) != 8:
            raise CheckpointError(f"is truncated: no length of {short(key)!r}")
        length = struct.unpack("<q", head)[0] * np.dtype(DTYPES[kinds[key]]).itemsize
        place = stream.tell()
        if not 0 <= length <= size - place:
            raise CheckpointError(f"is truncated: {size - place} of {length} bytes of {short(key)}")
        places[key] = place, length
        stream.seek(place + length)

    def read(key: str) -> np.ndarray:
        if key not in places:
            raise CheckpointError(f"seems to be damaged: it has no storage {short(key)!r}")
        place, length = places[key]
        stream.seek(place)
        return _numbers(stream, length, key)

    return tree, read


def _numbers(stream: io.BufferedReader, count: int, name: str) -> np.ndarray:
    numbers = np.empty(count, np.uint8)
    found = stream.readinto(numbers.data)
    if found != count:
        raise CheckpointError(f"is truncated: {found} of {count} bytes of {short(name)!r}")
    return numbers
