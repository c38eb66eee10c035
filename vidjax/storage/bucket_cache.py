"""Copies of shards in a bucket near the machines.

A data set may lie on another continent, or in another company's store. The first machine that
needs a shard reads it from there and puts a copy into the near bucket. Every other machine, and
every later run, reads the near copy. Nothing here removes copies: a life-cycle rule of the bucket
does that.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from vidjax.storage import buckets
from vidjax.storage.download import ReplacedMeanwhileError, fetch
from vidjax.storage.file_info import Facts, facts_of
from vidjax.storage.writing import check_writable


class NearBucket:
    """A folder of copies in a bucket. All machines of a job may share it.

    Args:
      folder: a URL.

    Raises:
      BucketError: the bucket is not there, or must not be written.
    """

    def __init__(self, folder: Path) -> None:
        check_writable(folder)
        self.folder = folder

    def fetch(self, name: str, source: Path, stored: Facts, file: Path) -> None:
        """Copies a shard to this machine, from the near bucket if it is there already.

        Args:
          name: of the near copy; it stands for the source and for its version.
          source: the shard.
          stored: what its folder told of it.
          file: on this machine; its content is replaced.

        Raises:
          ReplacedMeanwhileError: the source is not what was listed.
          OSError: the source cannot be read, or a copy cannot be written.
        """
        near = self.folder / name
        known = facts_of(self.folder, [name])[name]
        if known is not None and _is_same(known, stored):
            # Another machine may write the same copy now, and a rule may remove it.
            with contextlib.suppress(ReplacedMeanwhileError, FileNotFoundError):
                fetch(near, known, file)
                return
        fetch(source, stored, file)
        buckets.upload(file, str(near))


def _is_same(copy: Facts, stored: Facts) -> bool:
    """Whether a copy has the content of its source, as far as their stores tell."""
    if copy.crc32c and stored.crc32c:
        return copy.crc32c == stored.crc32c
    return copy.size == stored.size
