"""Shards made by the processes of this machine.

Where the data set lies on a disk, decoded videos wait beside it, so that nothing that was decoded
before an interruption is decoded again. Where it lies in a bucket they wait on this machine's
temporary disk, and shards that were uploaded are what remains.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from vidjax.data.decode_jobs import video_name
from vidjax.data.decoded_cache import Spool
from vidjax.data.shard_writer import Made, Progress, Task, decoded, find, finish
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path, is_url


def make_here(tasks: Sequence[Task], *, workers: int, progress: Progress) -> Iterator[Made]:
    """Makes all shards that are not there; they come as they are made.

    Args:
      tasks: the shards.
      workers: processes that decode.
      progress: called with the number of videos that are done, as they are.

    Raises:
      OSError: the machine fails, or the storage.
    """
    left, known = [], _recorded(tasks)
    for task in tasks:
        made = find(task) if task.record.name in known else None
        if made is None:
            left.append(task)
        else:
            progress(len(task.shard.entries))
            yield made
    # A piece of a video may be in two splits.
    wanted = Counter(video_name(entry) for task in left for entry in task.shard.entries)
    with _spool(tasks) as spool:
        for task, broken in decoded(left, spool, workers=workers, progress=progress):
            yield finish(task, spool, broken)
            for entry in task.shard.entries:
                name = video_name(entry)
                wanted[name] -= 1
                if not wanted[name]:
                    spool.drop(name)


def _recorded(tasks: Sequence[Task]) -> set[str]:
    """Names of the records that are there, by one look at their folder."""
    folders = {task.record.parent for task in tasks}
    return {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}


@contextlib.contextmanager
def _spool(tasks: Sequence[Task]) -> Iterator[Spool]:
    if tasks and not is_url(tasks[0].made):
        yield Spool(as_path(tasks[0].made).parent)
        return
    with scratch() as folder:
        yield Spool(folder)
