"""Shards made by the processes of this machine, one after the other.

Where the data set lies on a disk, decoded videos wait beside it, so that nothing that was decoded
before an interruption is decoded again. Where it lies in a bucket they wait on this machine's
temporary disk, and shards that were uploaded are what remains.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidjax.data.shard_making import Made, Progress, Task, make
from vidjax.data.spool import Spool
from vidjax.storage.paths import is_url


def make_here(tasks: Sequence[Task], *, workers: int, progress: Progress) -> Iterator[Made]:
    """Makes all shards.

    Args:
      tasks: the shards.
      workers: processes that decode.
      progress: called with the number of videos that are done, as they are.

    Raises:
      OSError: the machine fails, or the storage.
    """
    for task in tasks:
        if not is_url(task.made):
            yield make(task, Spool(Path(task.made).parent), workers=workers, progress=progress)
            continue
        with tempfile.TemporaryDirectory(prefix="vidjax-") as scratch:
            yield make(task, Spool(Path(scratch)), workers=workers, progress=progress)
