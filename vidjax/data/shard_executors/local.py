"""Writes shards with processes of this machine.

If the data set is on a disk, decoded videos are kept beside it until they are written, so that they
need not be decoded again after an interruption. If it is in a bucket, they are kept in this
machine's temporary folder, and only uploaded shards survive an interruption.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from vidjax.data.decode_jobs import video_name
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.shard_writer import Made, Progress, Task, decoded, find, finish
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path, is_url


def make_locally(tasks: Sequence[Task], *, workers: int, progress: Progress) -> Iterator[Made]:
    """Writes all missing shards; yields every shard as soon as it is complete.

    Args:
      tasks: the shards.
      workers: number of decoding processes.
      progress: called with the number of newly finished videos.

    Raises:
      OSError: the machine or the storage failed.
    """
    left, known = [], _recorded(tasks)
    for task in tasks:
        made = find(task) if task.record.name in known else None
        if made is None:
            left.append(task)
        else:
            progress(len(task.shard.entries))
            yield made
    # A segment of a video may be in two splits.
    wanted = Counter(video_name(entry) for task in left for entry in task.shard.entries)
    with _decoded_cache(tasks) as cache:
        for task, broken in decoded(left, cache, workers=workers, progress=progress):
            yield finish(task, cache, broken)
            for entry in task.shard.entries:
                name = video_name(entry)
                wanted[name] -= 1
                if not wanted[name]:
                    cache.drop(name)


def _recorded(tasks: Sequence[Task]) -> set[str]:
    """Returns the names of the existing shard records, from one listing of their folder."""
    folders = {task.record.parent for task in tasks}
    return {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}


@contextlib.contextmanager
def _decoded_cache(tasks: Sequence[Task]) -> Iterator[DecodedCache]:
    if tasks and not is_url(tasks[0].made):
        yield DecodedCache(as_path(tasks[0].made).parent)
        return
    with scratch() as folder:
        yield DecodedCache(folder)
