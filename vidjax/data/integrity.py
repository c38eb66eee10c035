"""Opening a prepared data set, and saying in one line what is damaged in it and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.cached_shards import CachedShards
from vidjax.data.checksums import Seal, read_seal, seal
from vidjax.data.dataset_errors import DamagedError, damaged, remedy
from vidjax.data.dataset_info import ARRAY_RECORD, INFO, Description
from vidjax.data.metadata_files import SmallFiles
from vidjax.data.shard_reader import Shards
from vidjax.storage.file_info import Facts
from vidjax.storage.shard_cache import ShardCache

__all__ = ["INFO", "DamagedError", "DataSet", "open_data_set", "record_sizes", "refuse_halves"]


@dataclass(frozen=True)
class DataSet:
    """A prepared data set whose files are there, none of its records read yet.

    Attributes:
      info: what it is.
      sums: CRC-32 of each record, uint32, by name of the shard; empty where they are not recorded.
      there: the files of its folder.
    """

    info: Description
    sums: Mapping[str, np.ndarray]
    there: Mapping[str, Facts]

    def records(self, split: str, cache: ShardCache | None = None) -> Shards:
        """The records of a split, compared with their checksums as they are read.

        Args:
          split: its name.
          cache: where shards are copied to before they are read; None reads them where they lie.

        Raises:
          ValueError: the copies may take less than a shard alone.
        """
        folder, shards = self.info.folder, self.info.splits[split]
        if cache is None:
            return Shards(folder, shards, self.sums)
        return CachedShards(folder, shards, self.sums, cache, self.there)


def refuse_halves(folder: Path) -> None:
    """Refuses a folder that holds something and is no prepared data set.

    Raises:
      DamagedError: names the folder and what it lacks.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / INFO).is_file():
        raise damaged(folder, f"{INFO} is absent")


def open_data_set(folder: Path) -> DataSet:
    """A prepared data set, its files compared with what was recorded of them, but for its records.

    Nothing in its files chooses code: TFDS does not see them.

    Raises:
      ValueError: there is none, or in a form that cannot be read at random.
      ForeignError: only code of its own could read it.
      DamagedError: a file of it is absent, cut short, or not readable as what it is.
    """
    files = SmallFiles(folder)
    if INFO not in files.there:
        refuse_halves(folder)
        raise ValueError(f"no prepared data set at {str(folder)!r}: {INFO} is absent")
    info = Description.read(folder, files)
    if info.file_format != ARRAY_RECORD:
        raise ValueError(
            f"{folder} holds {info.full_name} as {info.file_format[:50]!r}, which cannot be read "
            "at random; remove it, or set another data.data_dir"
        )
    known = read_seal(files)
    _check_shards(info, known, files.there)
    return DataSet(info, known.records, files.there)


def record_sizes(folder: Path) -> None:
    """Records sizes and checksums of a data set that is complete; reads all of it.

    Raises:
      DamagedError: a record cannot be read.
      OSError: the folder cannot be read or written.
    """
    seal(Description.read(folder))


def _check_shards(info: Description, known: Seal, there: Mapping[str, Facts]) -> None:
    folder = info.folder
    for name, count in (shard for shards in info.splits.values() for shard in shards):
        file = folder / name
        if name not in there:
            raise DamagedError(f"{file} is absent; {remedy(folder)}")
        size, right = there[name].size, known.sizes.get(name)
        if right is not None and size != right:
            raise DamagedError(f"{file} has {size} of {right} bytes; {remedy(folder)}")
        if len(known.records.get(name, range(count))) != count:
            raise damaged(folder, f"{name} has not the {count} records that are listed")
