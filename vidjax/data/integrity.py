"""Opening a prepared data set, and saying in one line what is damaged in it and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.damage import DamagedError, damaged, remedy
from vidjax.data.description import ARRAY_RECORD, INFO, Description
from vidjax.data.seal import Seal, read_seal, seal
from vidjax.data.shards import Shards
from vidjax.storage.facts import facts_of

__all__ = ["INFO", "DamagedError", "DataSet", "open_data_set", "record_sizes", "refuse_halves"]


@dataclass(frozen=True)
class DataSet:
    """A prepared data set whose files are there, none of its records read yet.

    Attributes:
      info: what it is.
      sums: CRC-32 of each record, uint32, by name of the shard; empty where they are not recorded.
    """

    info: Description
    sums: Mapping[str, np.ndarray]

    def records(self, split: str) -> Shards:
        """The records of a split, compared with their checksums as they are read."""
        return Shards(self.info.folder, self.info.splits[split], self.sums)


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
    refuse_halves(folder)
    if not (folder / INFO).is_file():
        raise ValueError(f"no prepared data set at {str(folder)!r}: {INFO} is absent")
    info = Description.read(folder)
    if info.file_format != ARRAY_RECORD:
        raise ValueError(
            f"{folder} holds {info.full_name} as {info.file_format[:50]!r}, which cannot be read "
            "at random; remove it, or set another data.data_dir"
        )
    known = read_seal(folder)
    _check_shards(info, known)
    return DataSet(info, known.records)


def record_sizes(folder: Path) -> None:
    """Records sizes and checksums of a data set that is complete; reads all of it.

    Raises:
      DamagedError: a record cannot be read.
      OSError: the folder cannot be read or written.
    """
    seal(Description.read(folder))


def _check_shards(info: Description, known: Seal) -> None:
    folder = info.folder
    shards = [shard for split in info.splits.values() for shard in split]
    found = facts_of(folder, (name for name, _ in shards))
    for name, count in shards:
        facts, right = found[name], known.sizes.get(name)
        if facts is None:
            raise DamagedError(f"{folder / name} is absent; {remedy(folder)}")
        if right is not None and facts.size != right:
            raise DamagedError(
                f"{folder / name} has {facts.size} of {right} bytes; {remedy(folder)}"
            )
        if len(known.records.get(name, range(count))) != count:
            raise damaged(folder, f"{name} has not the {count} records that are listed")
