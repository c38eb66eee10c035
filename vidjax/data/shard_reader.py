"""Reads the records of a split from its shards and compares them with their checksums."""

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

from vidjax.data.dataset_errors import ReplacedError, damage_errors, remedy
from vidjax.storage.paths import is_url


@dataclass(frozen=True)
class _Part:
    """A whole shard, in the form that array_record expects."""

    filename: str
    take: int
    examples_in_shard: int
    skip: int = 0


class ShardReader:
    """Random access to the records of a split, as bytes.

    Shards are opened on first use. A record is compared with its checksum when it is first read.
    Threads may share an instance.

    Args:
      folder: folder of the data set.
      shards: (file name, number of records) of each shard.
      sums: CRC-32 of each record, uint32, by shard name. Shards without an entry are not checked.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[tuple[str, int]],
        sums: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._folder, self._shards, self._sums = folder, shards, sums or {}
        self._ends = list(itertools.accumulate(count for _, count in shards))
        # Files stay open, so a later replacement is not seen. ArrayRecord's own checksums detect
        # bits that change later.
        self._compared = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of records in each shard, in order."""
        return tuple(count for _, count in self._shards)

    def fits(self, shards: int = 0) -> bool:
        """Returns whether this machine has room for `shards` shards at once; 0 means all."""
        del shards
        return True

    def __getitem__(self, index: int) -> bytes:
        """Reads one record.

        Raises:
          DamagedError: the record cannot be read.
          ReplacedError: the record was replaced by another one.
        """
        shard = self._shard_of(index)
        name, count = self._shards[shard]
        place = index - self._ends[shard] + count
        with damage_errors(self._folder, f"record {place} of {name} cannot be read"):
            content = self._take(shard, place)
        if not self._compared[index]:
            self._compare(content, name, place)
            self._compared[index] = True
        return content

    def expect(self, index: int) -> None:
        """Prefetches the shard of a record that is read soon. Local shards need nothing."""

    def _shard_of(self, index: int) -> int:
        return bisect.bisect_right(self._ends, index)

    def _take(self, shard: int, place: int) -> bytes:
        """Reads a record without checking it."""
        content: bytes = self._source[self._ends[shard] - self._shards[shard][1] + place]
        return content

    @functools.cached_property
    def _source(self) -> Any:
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        parts = [_Part(str(self._folder / name), count, count) for name, count in self._shards]
        # In a bucket, prefetching the footer would use another kind of request.
        options = {"footer_prefetch_bytes": "0"} if is_url(self._folder) else None
        return ArrayRecordDataSource(parts, options)

    def _compare(self, content: bytes, name: str, place: int) -> None:
        known = self._sums.get(name)
        if known is not None and zlib.crc32(content) != known[place]:
            raise ReplacedError(
                f"{self._folder} is damaged: record {place} of {name} is not the one that was "
                f"written there; another file may have replaced it; {remedy(self._folder)}"
            )
