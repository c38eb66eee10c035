"""Opens a prepared data set and checks that its files are complete and undamaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.cached_shards import CachedShardReader
from vidjax.data.checksums import Checksums, read_checksums, record_checksums
from vidjax.data.dataset_errors import DamagedError, damaged, remedy
from vidjax.data.dataset_info import ARRAY_RECORD, INFO, DatasetInfo
from vidjax.data.metadata_files import MetadataFiles
from vidjax.data.shard_reader import ShardReader
from vidjax.storage.file_info import FileInfo
from vidjax.storage.shard_cache import ShardCache

__all__ = ["INFO", "DamagedError", "DataSet", "open_data_set", "record_sizes", "refuse_incomplete"]


@dataclass(frozen=True)
class DataSet:
    """An opened data set. Its files are complete; its records have not been read yet.

    Attributes:
      info: description of the data set.
      sums: CRC-32 of each record, uint32, by shard name; empty if there are no checksums.
      there: the files of the folder.
    """

    info: DatasetInfo
    sums: Mapping[str, np.ndarray]
    there: Mapping[str, FileInfo]

    def records(self, split: str, cache: ShardCache | None = None) -> ShardReader:
        """Returns the records of a split. Each is compared with its checksum when it is read.

        Args:
          split: name of the split.
          cache: local cache that shards are copied to before they are read; None reads in place.

        Raises:
          ValueError: the cache is limited to less than the size of one shard.
        """
        folder, shards = self.info.folder, self.info.splits[split]
        if cache is None:
            return ShardReader(folder, shards, self.sums)
        return CachedShardReader(folder, shards, self.sums, cache, self.there)


def refuse_incomplete(folder: Path) -> None:
    """Refuses a folder that is not empty but contains no complete data set.

    Raises:
      DamagedError: names the folder and the missing file.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / INFO).is_file():
        raise damaged(folder, f"{INFO} is missing")


def open_data_set(folder: Path) -> DataSet:
    """Opens a prepared data set and compares its files, except the records, with their checksums.

    The files are not given to TFDS, so nothing in them can choose code to run.

    Raises:
      ValueError: there is no data set, or its format has no random access.
      UntrustedDataSetError: the data set needs code of its own.
      DamagedError: a file is missing, truncated or malformed.
    """
    files = MetadataFiles(folder)
    if INFO not in files.there:
        refuse_incomplete(folder)
        raise ValueError(f"no prepared data set at {str(folder)!r}: {INFO} is missing")
    info = DatasetInfo.read(folder, files)
    if info.file_format != ARRAY_RECORD:
        raise ValueError(
            f"{folder} contains {info.full_name} as {info.file_format[:50]!r}, a format without "
            "random access; remove it, or set another data.data_dir"
        )
    known = read_checksums(files)
    _check_shards(info, known, files.there)
    return DataSet(info, known.records, files.there)


def record_sizes(folder: Path) -> None:
    """Reads a whole data set and records its sizes and checksums.

    Raises:
      DamagedError: a record cannot be read.
      OSError: the folder cannot be read or written.
    """
    record_checksums(DatasetInfo.read(folder))


def _check_shards(info: DatasetInfo, known: Checksums, there: Mapping[str, FileInfo]) -> None:
    folder = info.folder
    for name, count in (shard for shards in info.splits.values() for shard in shards):
        file = folder / name
        if name not in there:
            raise DamagedError(f"{file} is missing; {remedy(folder)}")
        size, right = there[name].size, known.sizes.get(name)
        if right is not None and size != right:
            raise DamagedError(f"{file} has {size} of {right} bytes; {remedy(folder)}")
        if len(known.records.get(name, range(count))) != count:
            raise damaged(folder, f"{name} does not have the listed {count} records")
