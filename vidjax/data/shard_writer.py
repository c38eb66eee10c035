"""Writes one shard of a prepared data set, without needing a folder shared between machines.

Videos are decoded into a local folder, by processes that a bad video may crash, and written to one
file in the order of the plan. The file is read back and renamed to its final name when it is
complete. A small record beside the data set lists its contents and the excluded videos. Writing a
shard twice gives the same bytes, so two machines that write the same shard do no harm.

An existing shard is compared with its record, byte for byte, and not written again.
"""

from __future__ import annotations

import contextlib
import errno
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.data.catalog import Storage
from vidjax.data.code_version import code_version
from vidjax.data.decode_jobs import Job, decode, example, video_name
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.process_pool import Lost, run_each
from vidjax.data.shard_plan import Shard
from vidjax.storage.local_copies import local_copy
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, replacing

# Time and memory limits of one video, above which it counts as broken.
_SECONDS = 600.0
_MEMORY = 8 * 2**30
# Factor of the time limit if the flow method is slow: two hours.
_OF_SLOW_FLOW = 12


Progress = Callable[[int], None]


class MismatchError(ValueError):
    """The machines of a cluster run different versions of the code."""


class Made(msgspec.Struct, frozen=True):
    """The contents of a finished shard, as stored in its record file.

    Attributes:
      file: file name.
      split: name of the split.
      bytes: size of the file.
      content: total size of the records.
      videos: names of the videos in the order of the records.
      labels: labels of the videos, as in the manifest.
      rates: frame rates of the videos.
      sums: CRC-32 of each record.
      broken: reason for each excluded video, by name.
    """

    file: records.Name
    split: records.Name
    bytes: records.Count
    content: records.Count
    videos: list[str]
    labels: list[str]
    rates: list[float]
    sums: list[records.Count]
    broken: dict[str, str]


@dataclass(frozen=True)
class Task:
    """A shard to write, with everything that another machine needs for it.

    Attributes:
      shard: the videos of the shard.
      root: folder that relative video paths start from.
      folder: folder of the data set.
      made: folder of the shard records.
      classes: class names in the order of their indices.
      multi_label: whether a video may have several labels.
      storage: how frames are stored.
      code: version of the code that planned the shard.
    """

    shard: Shard
    root: str
    folder: str
    made: str
    classes: tuple[str, ...]
    multi_label: bool
    storage: Storage
    code: str

    def jobs(self, cache: DecodedCache) -> list[Job]:
        """Returns one decode job per video."""
        root = as_path(self.root)
        return [
            Job(entry.file(root), entry, self.storage, cache, self.multi_label, self.shard.file)
            for entry in self.shard.entries
        ]

    @property
    def record(self) -> Path:
        """Path of the record file that describes the finished shard."""
        return as_path(self.made) / f"{self.shard.file}.json"


def make(task: Task, cache: DecodedCache, *, workers: int) -> Made:
    """Writes a shard, unless it exists already.

    Args:
      task: the shard.
      cache: local folder of decoded videos.
      workers: number of decoding processes.

    Raises:
      MismatchError: this machine runs another version of the code than the planner.
      OSError: the machine or the storage failed; no video is excluded for that.
    """
    refuse_other_code(task.code)
    found = find(task)
    if found is not None:
        return found
    ((_, broken),) = decoded([task], cache, workers=workers)
    return finish(task, cache, broken)


def decoded(
    tasks: Sequence[Task],
    cache: DecodedCache,
    *,
    workers: int,
    progress: Progress = lambda videos: None,
) -> Iterator[tuple[Task, dict[str, str]]]:
    """Decodes the videos of shards into a cache, except those that it already contains.

    Args:
      tasks: the shards.
      cache: local folder of decoded videos.
      workers: number of decoding processes.
      progress: called with the number of newly finished videos.

    Yields:
      Each shard when its last video is done, with the reason for each undecodable video, by name.

    Raises:
      OSError: the machine failed.
    """
    left, broken = dict[str, set[str]](), dict[str, dict[str, str]]()
    jobs = list[Job]()
    for task in tasks:
        own = [job for job in task.jobs(cache) if cache.load(job.name) is None]
        progress(len(task.shard.entries) - len(own))
        left[task.shard.file], broken[task.shard.file] = {job.name for job in own}, {}
        jobs += own
    shards = {task.shard.file: task for task in tasks}
    is_slow = any(task.storage.flow and task.storage.flow.is_slow for task in tasks)
    seconds = _SECONDS * (_OF_SLOW_FLOW if is_slow else 1)
    for file in [file for file, names in left.items() if not names]:
        yield shards[file], {}
    for job, found in run_each(decode, jobs, workers=workers, seconds=seconds, memory=_MEMORY):
        if found:
            why = f"{job.shown}: {found}" if isinstance(found, Lost) else found
            broken[job.shard][job.name] = why
        left[job.shard].remove(job.name)
        progress(1)
        if not left[job.shard]:
            yield shards[job.shard], broken[job.shard]


def finish(task: Task, cache: DecodedCache, broken: Mapping[str, str]) -> Made:
    """Writes a shard from decoded videos, and its record.

    Args:
      task: the shard.
      cache: local folder that contains the decoded videos.
      broken: reason for each video that was not decoded, by name.

    Raises:
      OSError: the machine or the storage failed.
    """
    made = _write(task, cache, broken)
    make_folder(task.record.parent)
    records.write(task.record, msgspec.to_builtins(made))
    return made


def find(task: Task) -> Made | None:
    """Returns the record of an existing, undamaged shard; None if it has to be written."""
    made = recorded(task)
    if made is None:
        return None
    try:
        return made if _sums(as_path(task.folder) / made.file) == made.sums else None
    # Errors that ArrayRecord raises for a damaged file.
    except (RuntimeError, ValueError, IndexError):
        return None


def recorded(task: Task) -> Made | None:
    """Reads a shard's record; None if its videos or the size of its file do not match."""
    try:
        made = records.read(task.record, Made, "it is written again")
        size = (as_path(task.folder) / made.file).stat().st_size
    except (FileNotFoundError, records.RecordError):
        return None
    return made if _is_of(made, task) and size == made.bytes else None


def refuse_other_code(planned: str) -> None:
    """Refuses to write a shard that another version of the code has planned.

    Raises:
      MismatchError: names both versions.
    """
    if (own := code_version()) != planned:
        raise MismatchError(
            f"a worker runs other code than the command: {own} on the worker, {planned} on the "
            "command's machine; install the same versions on both"
        )


def _is_of(made: Made, task: Task) -> bool:
    names = {video_name(entry) for entry in task.shard.entries}
    whole = len(made.videos) == len(made.labels) == len(made.rates) == len(made.sums)
    listed = {*made.videos, *made.broken}
    return whole and made.file == task.shard.file and listed == names


def _write(task: Task, cache: DecodedCache, broken: Mapping[str, str]) -> Made:
    """Writes the shard's file and reads it back."""
    from vidjax.data.tfds_features import Serializer, features_of

    jobs = task.jobs(cache)
    there = [job for job in jobs if job.name not in broken]
    serialized = Serializer(
        features_of(task.classes, multi_label=task.multi_label, flow=task.storage.flow is not None)
    )
    rates, sums, content = list[float](), list[int](), 0
    with replacing(make_folder(as_path(task.folder)) / task.shard.file) as unfinished:
        with _record_writer(unfinished) as add:
            for job in there:
                found = cache.reload(job.name)
                record = serialized(example(job, found)[1])
                add(record)
                sums.append(zlib.crc32(record))
                content += len(record)
                rates.append(float(np.float32(found[1])))
        _compare(unfinished, sums)
        size = unfinished.stat().st_size
    return Made(
        file=task.shard.file,
        split=task.shard.split,
        bytes=size,
        content=content,
        videos=[job.name for job in there],
        labels=[job.entry.label for job in there],
        rates=rates,
        sums=sums,
        # In the order of the plan, independent of which failed first.
        broken={job.name: broken[job.name] for job in jobs if job.name in broken},
    )


@contextlib.contextmanager
def _record_writer(file: Path) -> Iterator[Callable[[bytes], Any]]:
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(file), "group_size:1")
    try:
        yield writer.write
    finally:
        writer.close()


def _compare(file: Path, sums: Sequence[int]) -> None:
    """Reads back a file that was just written.

    Raises:
      OSError: its content is not what was written.
    """
    try:
        right = _sums(file) == sums
    except (RuntimeError, ValueError, IndexError):
        right = False
    if not right:
        raise OSError(errno.EIO, "what was written cannot be read back", str(file))


def _sums(file: Path) -> list[int]:
    """Computes the CRC-32 of each record of a file."""
    from array_record.python.array_record_module import ArrayRecordReader

    with local_copy(file) as local:
        reader = ArrayRecordReader(str(local))
        try:
            return [zlib.crc32(reader.read([place])[0]) for place in range(reader.num_records())]
        finally:
            reader.close()
