"""The records of a split that lies elsewhere, read from copies of its shards on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.dataset_errors import DamagedError, ReplacedError
from vidjax.data.shard_reader import Shards
from vidjax.storage.download import ReplacedMeanwhileError
from vidjax.storage.file_info import Facts
from vidjax.storage.shard_cache import ShardCache


class CachedShards(Shards):
    """As `Shards`, of which those alone are copied that something is asked of.

    A copy whose record is not as it was written is made anew, once: the damage may be the copy's.

    Args:
      folder: of the data set, such as one in a bucket.
      shards: name of each file and how many records it holds.
      sums: CRC-32 of each record, uint32 by name of the shard; shards without are not compared.
      cache: has the copies.
      there: the files of the folder.

    Raises:
      ValueError: all copies together may take less than a shard alone.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[tuple[str, int]],
        sums: Mapping[str, np.ndarray],
        cache: ShardCache,
        there: Mapping[str, Facts],
    ) -> None:
        super().__init__(folder, shards, sums)
        self._cache, self._there = cache, there
        self._again: set[int] = set()
        for name, _ in shards:
            cache.check(folder / name, there[name])

    def fits(self, shards: int = 0) -> bool:
        """Whether there may be copies of so many shards, or of all, at once."""
        sizes = sorted((self._there[name].size for name, _ in self._shards), reverse=True)
        return sum(sizes[: shards or None]) <= self._cache.limit

    def __getitem__(self, index: int) -> bytes:
        """One record.

        Raises:
          DamagedError: it cannot be read.
          ReplacedError: it, or its file, is not the one that was written there.
          OSError: the shard cannot be copied.
        """
        try:
            return super().__getitem__(index)
        except DamagedError:
            shard = self._shard_of(index)
            if shard in self._again:
                raise
            self._again.add(shard)
            self._cache.drop(*self._where(shard))
        return super().__getitem__(index)

    def expect(self, index: int) -> None:
        """Copies the shard of a record that will be read soon, in the background."""
        self._cache.expect(*self._where(self._shard_of(index)))

    def _where(self, shard: int) -> tuple[Path, Facts]:
        name = self._shards[shard][0]
        return self._folder / name, self._there[name]

    def _take(self, shard: int, place: int) -> bytes:
        try:
            with self._cache.reading(*self._where(shard), _open) as reader:
                content: bytes = reader.read([place])[0]
        except ReplacedMeanwhileError as error:
            raise ReplacedError(str(error)) from None
        return content


def _open(path: str) -> Any:
    from array_record.python.array_record_module import ArrayRecordReader

    # As array_record opens files that are read at random.
    options = "readahead_buffer_size:0,max_parallelism:0"
    return ArrayRecordReader(path, options=options, file_reader_buffer_size=32768)
