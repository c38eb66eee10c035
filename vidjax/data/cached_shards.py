"""Reads the records of a remote split from copies of its shards on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.dataset_errors import DamagedError, ReplacedError
from vidjax.data.shard_reader import ShardReader
from vidjax.storage.download import ReplacedMeanwhileError
from vidjax.storage.file_info import FileInfo
from vidjax.storage.shard_cache import ShardCache


class CachedShardReader(ShardReader):
    """Like `ShardReader`, but copies a shard to this machine when one of its records is first read.

    If a record is damaged, its shard is copied once more, since the copy may be at fault.

    Args:
      folder: folder of the data set, for example in a bucket.
      shards: (file name, number of records) of each shard.
      sums: CRC-32 of each record, uint32, by shard name. Shards without an entry are not checked.
      cache: the cache of copies.
      there: the files of the folder.

    Raises:
      ValueError: the cache is limited to less than the size of one shard.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[tuple[str, int]],
        sums: Mapping[str, np.ndarray],
        cache: ShardCache,
        there: Mapping[str, FileInfo],
    ) -> None:
        super().__init__(folder, shards, sums)
        self._cache, self._there = cache, there
        self._again: set[int] = set()
        for name, _ in shards:
            cache.check(folder / name, there[name])

    def fits(self, shards: int = 0) -> bool:
        """Returns whether the cache has room for `shards` shards at once; 0 means all of them."""
        sizes = sorted((self._there[name].size for name, _ in self._shards), reverse=True)
        return sum(sizes[: shards or None]) <= self._cache.limit

    def __getitem__(self, index: int) -> bytes:
        """Reads one record.

        Raises:
          DamagedError: the record cannot be read.
          ReplacedError: the record or its file was replaced by another one.
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
        """Starts to copy the shard of a record that will be read soon, in the background."""
        self._cache.expect(*self._where(self._shard_of(index)))

    def _where(self, shard: int) -> tuple[Path, FileInfo]:
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

    # The options that array_record uses for random access.
    options = "readahead_buffer_size:0,max_parallelism:0"
    return ArrayRecordReader(path, options=options, file_reader_buffer_size=32768)
