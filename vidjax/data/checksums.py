"""Sizes and checksums of a prepared data set, kept in it as `sizes.json`.

A data set may be a terabyte: nobody wants to wait until all of it is compared. So each record has a
checksum of its own, which is compared when a process reads the record first, and sizes are compared
when the data set is opened. What describes the data set is small, and compared as a whole.
They are CRC-32: they find damage and mistakes, not malice. A GiB takes 0.26 s of one core.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.data.dataset_errors import damaged
from vidjax.data.dataset_info import (
    FEATURES,
    INFO,
    LABELS,
    METADATA,
    SEVERAL_LABELS,
    Description,
)
from vidjax.data.metadata_files import SmallFiles
from vidjax.data.shard_reader import Shards
from vidjax.storage.writing import writing

FILE = "sizes.json"
_DESCRIBING = (INFO, FEATURES, METADATA, LABELS, SEVERAL_LABELS)


class _Sums(msgspec.Struct):
    """As in the file: eight hexadecimal digits a sum, those of a shard's records in one text."""

    records: dict[str, str]
    files: dict[str, str]
    own: str


@dataclass(frozen=True)
class Seal:
    """What is known of the files of a data set since they were written.

    Attributes:
      sizes: of the shards, in bytes, by name.
      records: CRC-32 of each record, uint32, by name of the shard.
    """

    sizes: Mapping[str, int]
    records: Mapping[str, np.ndarray]


class Sealing:
    """Takes the checksums of a data set's records as they are read back, and writes them.

    Args:
      description: of the data set.
    """

    def __init__(self, description: Description) -> None:
        self._description = description
        self._records: dict[str, list[int]] = {}

    def read(self, split: str) -> Iterable[bytes]:
        """The records of a split in their order.

        Raises:
          DamagedError: one cannot be read.
        """
        folder = self._description.folder
        for name, count in self._description.splits[split]:
            shard, sums = Shards(folder, [(name, count)]), self._records.setdefault(name, [])
            for place in range(count):
                content = shard[place]
                sums.append(zlib.crc32(content))
                yield content

    def write(self) -> None:
        """Writes sizes and checksums of what was read.

        Raises:
          OSError: the folder cannot be written or read.
        """
        folder = self._description.folder
        there = SmallFiles(folder).there
        sizes = {name: there[name].size for name in self._records}
        write_seal(folder, sizes, self._records)


def write_seal(folder: Path, sizes: Mapping[str, int], sums: Mapping[str, Sequence[int]]) -> None:
    """Writes what is known of the files of a data set, which is described already.

    Args:
      folder: of the data set.
      sizes: of the shards, in bytes, by name.
      sums: CRC-32 of each record, by name of the shard.

    Raises:
      OSError: the folder cannot be written or read.
    """
    sizes = dict(sorted(sizes.items()))
    of_records = {name: _text(numbers) for name, numbers in sorted(sums.items())}
    there = SmallFiles(folder)
    files = {name: _sum(there.read(name)) for name in _DESCRIBING if name in there.there}
    crc32 = {"records": of_records, "files": files, "own": _own(sizes, of_records, files)}
    with writing(folder / FILE) as stream:
        stream.write(json.dumps(sizes | {"crc32": crc32}, indent=2) + "\n")


def seal(description: Description) -> None:
    """Writes sizes and checksums of a data set that is complete, reading all of it.

    Raises:
      DamagedError: a record cannot be read.
      OSError: the folder cannot be written or read.
    """
    sealing = Sealing(description)
    for split in description.splits:
        for _ in sealing.read(split):
            pass
    sealing.write()


def read_seal(files: SmallFiles) -> Seal:
    """What was recorded of a data set: sizes alone by earlier versions, nothing by TFDS.

    What describes the data set is compared with its checksums.

    Args:
      files: those of its folder.

    Raises:
      DamagedError: the record is damaged, or a file is not as it was recorded.
      OSError: a file cannot be read.
    """
    folder = files.folder
    if FILE not in files.there:
        return Seal({}, {})
    try:
        found = records.parsed(files.read(FILE), dict[str, Any])
        sums = records.converted(found.pop("crc32"), _Sums) if "crc32" in found else None
        sizes = records.converted(found, dict[str, int])
        if sums is None:
            return Seal(sizes, {})
        if sums.own != _own(sizes, sums.records, sums.files):
            raise ValueError
        of_records = {name: _numbers(text) for name, text in sums.records.items()}
    except ValueError:
        raise damaged(folder, f"{FILE} is cut short or changed") from None
    for name in _DESCRIBING:
        known = sums.files.get(name)
        if known is not None and _sum(files.read(name)) != known:
            raise damaged(folder, f"{name} is cut short or changed")
    return Seal(sizes, of_records)


def _text(sums: Iterable[int]) -> str:
    return np.array(list(sums), ">u4").tobytes().hex()


def _numbers(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), ">u4").astype(np.uint32)


def _sum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _own(sizes: Mapping[str, int], records: Mapping[str, str], files: Mapping[str, str]) -> str:
    parts = [sorted(part.items()) for part in (sizes, records, files)]
    return f"{zlib.crc32(repr(parts).encode()):08x}"
