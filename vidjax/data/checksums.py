"""Sizes and checksums of a prepared data set, stored in it as `sizes.json`.

A data set may have a terabyte, too much to check when it is opened. Therefore each record has its
own checksum, which is compared when a process first reads the record. Opening compares only file
sizes and the checksums of the small metadata files. Checksums are CRC-32: they detect damage and
mistakes, not malice. A GiB takes 0.26 s of one core.
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
    DatasetInfo,
)
from vidjax.data.metadata_files import MetadataFiles
from vidjax.data.shard_reader import ShardReader
from vidjax.storage.writing import writing

FILE = "sizes.json"
_DESCRIBING = (INFO, FEATURES, METADATA, LABELS, SEVERAL_LABELS)


class _Sums(msgspec.Struct):
    """Checksums as stored: eight hex digits each; those of a shard's records form one string."""

    records: dict[str, str]
    files: dict[str, str]
    own: str


@dataclass(frozen=True)
class Checksums:
    """Recorded sizes and checksums of a data set.

    Attributes:
      sizes: size of each shard in bytes, by name.
      records: CRC-32 of each record, uint32, by shard name.
    """

    sizes: Mapping[str, int]
    records: Mapping[str, np.ndarray]


class ChecksumWriter:
    """Computes the checksums of a data set while its records are read back, and writes them.

    Args:
      description: description of the data set.
    """

    def __init__(self, description: DatasetInfo) -> None:
        self._description = description
        self._records: dict[str, list[int]] = {}

    def read(self, split: str) -> Iterable[bytes]:
        """Yields the records of a split in order.

        Raises:
          DamagedError: a record cannot be read.
        """
        folder = self._description.folder
        for name, count in self._description.splits[split]:
            shard, sums = ShardReader(folder, [(name, count)]), self._records.setdefault(name, [])
            for place in range(count):
                content = shard[place]
                sums.append(zlib.crc32(content))
                yield content

    def write(self) -> None:
        """Writes the sizes and checksums of the records that were read.

        Raises:
          OSError: the folder cannot be written or read.
        """
        folder = self._description.folder
        there = MetadataFiles(folder).there
        sizes = {name: there[name].size for name in self._records}
        write_checksums(folder, sizes, self._records)


def write_checksums(
    folder: Path, sizes: Mapping[str, int], sums: Mapping[str, Sequence[int]]
) -> None:
    """Writes the sizes and checksums of a data set whose metadata files already exist.

    Args:
      folder: folder of the data set.
      sizes: size of each shard in bytes, by name.
      sums: CRC-32 of each record, by shard name.

    Raises:
      OSError: the folder cannot be written or read.
    """
    sizes = dict(sorted(sizes.items()))
    of_records = {name: _text(numbers) for name, numbers in sorted(sums.items())}
    there = MetadataFiles(folder)
    files = {name: _sum(there.read(name)) for name in _DESCRIBING if name in there.there}
    crc32 = {"records": of_records, "files": files, "own": _own(sizes, of_records, files)}
    with writing(folder / FILE) as stream:
        stream.write(json.dumps(sizes | {"crc32": crc32}, indent=2) + "\n")


def record_checksums(description: DatasetInfo) -> None:
    """Reads a whole data set and writes its sizes and checksums.

    Raises:
      DamagedError: a record cannot be read.
      OSError: the folder cannot be written or read.
    """
    sealing = ChecksumWriter(description)
    for split in description.splits:
        for _ in sealing.read(split):
            pass
    sealing.write()


def read_checksums(files: MetadataFiles) -> Checksums:
    """Reads the recorded sizes and checksums, and checks the metadata files against them.

    Earlier versions recorded only sizes, and TFDS records nothing.

    Args:
      files: files of the data set's folder.

    Raises:
      DamagedError: `sizes.json` is damaged, or a metadata file differs from its checksum.
      OSError: a file cannot be read.
    """
    folder = files.folder
    if FILE not in files.there:
        return Checksums({}, {})
    try:
        found = records.parsed(files.read(FILE), dict[str, Any])
        sums = records.converted(found.pop("crc32"), _Sums) if "crc32" in found else None
        sizes = records.converted(found, dict[str, int])
        if sums is None:
            return Checksums(sizes, {})
        if sums.own != _own(sizes, sums.records, sums.files):
            raise ValueError
        of_records = {name: _numbers(text) for name, text in sums.records.items()}
    except ValueError:
        raise damaged(folder, f"{FILE} is truncated or changed") from None
    for name in _DESCRIBING:
        known = sums.files.get(name)
        if known is not None and _sum(files.read(name)) != known:
            raise damaged(folder, f"{name} is truncated or changed")
    return Checksums(sizes, of_records)


def _text(sums: Iterable[int]) -> str:
    return np.array(list(sums), ">u4").tobytes().hex()


def _numbers(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), ">u4").astype(np.uint32)


def _sum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _own(sizes: Mapping[str, int], records: Mapping[str, str], files: Mapping[str, str]) -> str:
    parts = [sorted(part.items()) for part in (sizes, records, files)]
    return f"{zlib.crc32(repr(parts).encode()):08x}"
