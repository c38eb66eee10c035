"""A cache of shards in a bucket near the machines.

A data set may be on another continent, or in another company's store. The first machine that needs
a shard reads it from there and uploads a copy to the nearby bucket. All other machines, and later
runs, read that copy. Copies are never removed here: set up a life-cycle rule of the bucket.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from vidjax.storage import buckets
from vidjax.storage.download import ReplacedMeanwhileError, fetch
from vidjax.storage.file_info import FileInfo, file_infos
from vidjax.storage.writing import check_writable


class BucketCache:
    """A folder of cached shards in a bucket. All machines of a job may share it.

    Args:
      folder: URL of the folder.

    Raises:
      BucketError: the bucket does not exist, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        check_writable(folder)
        self.folder = folder

    def fetch(self, name: str, source: Path, stored: FileInfo, file: Path) -> None:
        """Copies a shard to this machine, from this cache if possible.

        Args:
          name: name of the cached copy, which is unique to the source and its version.
          source: the shard.
          stored: its metadata from the listing of its folder.
          file: local file whose content is replaced.

        Raises:
          ReplacedMeanwhileError: the source was replaced since it was listed.
          OSError: the source cannot be read, or a copy cannot be written.
        """
        near = self.folder / name
        known = file_infos(self.folder, [name])[name]
        if known is not None and _is_same(known, stored):
            # Another machine may be writing the same copy, or a life-cycle rule may remove it.
            with contextlib.suppress(ReplacedMeanwhileError, FileNotFoundError):
                fetch(near, known, file)
                return
        fetch(source, stored, file)
        buckets.upload(file, str(near))


def _is_same(copy: FileInfo, stored: FileInfo) -> bool:
    """Returns whether a copy matches its source by checksum, or else by size."""
    if copy.crc32c and stored.crc32c:
        return copy.crc32c == stored.crc32c
    return copy.size == stored.size
