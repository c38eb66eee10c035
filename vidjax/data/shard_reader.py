"""The records of a split, from the files that hold them, compared with their checksums."""

from __future__ import annotations

import bisect
import functools
import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.dataset_errors import ReplacedError, remedy, telling_damage
from vidjax.storage.paths import is_url


@dataclass(frozen=True)
class _Part:
    """A whole shard, as array_record asks for it."""

    filename: str
    take: int
    examples_in_shard: int
    skip: int = 0


class Shards:
    """Random access to the records of a split, as bytes.

    Shards are opened when something of them is asked for, and a record is compared with its
    checksum when it is read first. Threads may share this.

    Args:
      folder: of the data set.
      shards: name of each file and how many records it holds.
      sums: CRC-32 of each record, uint32 by name of the shard; shards without are not compared.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[tuple[str, int]],
        sums: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._folder, self._shards, self._sums = folder, shards, sums or {}
        self._ends = list(itertools.accumulate(count for _, count in shards))
        # Files stay open: what takes the place of one later is not seen. Of bits that change later
        # ArrayRecord's own checksums tell.
        self._compared = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many records each shard holds, in their order."""
        return tuple(count for _, count in self._shards)

    def fits(self, shards: int = 0) -> bool:
        """Whether so many shards, or all, can be on this machine at once."""
        del shards
        return True

    def __getitem__(self, index: int) -> bytes:
        """One record.

        Raises:
          DamagedError: it cannot be read.
          ReplacedError: it is not the one that was written there.
        """
        shard = self._shard_of(index)
        name, count = self._shards[shard]
        place = index - self._ends[shard] + count
        with telling_damage(self._folder, f"record {place} of {name} cannot be read"):
            content = self._take(shard, place)
        if not self._compared[index]:
            self._compare(content, name, place)
            self._compared[index] = True
        return content

    def expect(self, index: int) -> None:
        """Tells that a record will be read soon."""

    def _shard_of(self, index: int) -> int:
        return bisect.bisect_right(self._ends, index)

    def _take(self, shard: int, place: int) -> bytes:
        """A record as it lies there."""
        content: bytes = self._source[self._ends[shard] - self._shards[shard][1] + place]
        return content

    @functools.cached_property
    def _source(self) -> Any:
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        parts = [_Part(str(self._folder / name), count, count) for name, count in self._shards]
        # In a bucket it would ask for the end of an object by a kind of request of its own.
        options = {"footer_prefetch_bytes": "0"} if is_url(self._folder) else None
        return ArrayRecordDataSource(parts, options)

    def _compare(self, content: bytes, name: str, place: int) -> None:
        known = self._sums.get(name)
        if known is not None and zlib.crc32(content) != known[place]:
            raise ReplacedError(
                f"{self._folder} is damaged: record {place} of {name} is not the one that was "
                f"written there, as if another file had taken its place; {remedy(self._folder)}"
            )
