"""Making one shard of a prepared data set, on a machine that shares no folder with another.

Videos are decoded into a folder of this machine, by processes that they can take down, and written
as one file in the order of the plan. The file is read back, gets its final name whole or not at
all, and a small record beside the data set says what is in it and what was left out. Making a shard
twice gives the same bytes, so that two machines which make the same one do no harm.

A shard that is there is compared with its record, every byte of it, and not made again.
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
from vidjax.data.decoded_cache import Spool
from vidjax.data.process_pool import Lost, run_each
from vidjax.data.shard_plan import Shard
from vidjax.storage.local_copies import here
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, replacing

# What one video may cost before it counts as broken.
_SECONDS = 600.0
_MEMORY = 8 * 2**30
# How many times as long it may take where its flow is slow: two hours.
_OF_SLOW_FLOW = 12


Progress = Callable[[int], None]


class MismatchError(ValueError):
    """The machines of a cluster do not run the same code."""


class Made(msgspec.Struct, frozen=True):
    """What a shard holds, as its record has it.

    Attributes:
      file: its name.
      split: that it is a part of.
      bytes: of the file.
      content: bytes of all records.
      videos: names in the order of the records.
      labels: their labels, as the manifest has them.
      rates: their frames a second.
      sums: CRC-32 of each record.
      broken: of each video that is left out, its name and why.
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
    """A shard to be made, with all that another machine must know.

    Attributes:
      shard: its videos.
      root: folder that the videos' paths start from.
      folder: of the data set.
      made: folder of the records of what is made.
      classes: class names in the order of their indices.
      multi_label: whether a video may have several labels.
      storage: how frames are stored.
      code: that planned it.
    """

    shard: Shard
    root: str
    folder: str
    made: str
    classes: tuple[str, ...]
    multi_label: bool
    storage: Storage
    code: str

    def jobs(self, spool: Spool) -> list[Job]:
        """Its videos, to be decoded into a spool."""
        root = as_path(self.root)
        return [
            Job(entry.file(root), entry, self.storage, spool, self.multi_label, self.shard.file)
            for entry in self.shard.entries
        ]

    @property
    def record(self) -> Path:
        """Where it says what was made."""
        return as_path(self.made) / f"{self.shard.file}.json"


def make(task: Task, spool: Spool, *, workers: int) -> Made:
    """Makes a shard, unless it is there.

    Args:
      task: the shard.
      spool: where decoded videos wait, on this machine's disk.
      workers: processes that decode.

    Raises:
      MismatchError: the code that planned it is not the code of this machine.
      OSError: the machine fails, or the storage; no video is condemned for it.
    """
    refuse_other_code(task.code)
    found = find(task)
    if found is not None:
        return found
    ((_, broken),) = decoded([task], spool, workers=workers)
    return finish(task, spool, broken)


def decoded(
    tasks: Sequence[Task],
    spool: Spool,
    *,
    workers: int,
    progress: Progress = lambda videos: None,
) -> Iterator[tuple[Task, dict[str, str]]]:
    """Brings the videos of shards into a spool; what is there is not decoded again.

    Args:
      tasks: the shards.
      spool: on this machine's disk.
      workers: processes that decode.
      progress: called with the number of videos that are done, as they are.

    Yields:
      Each shard when the last of its videos is done, and of those that cannot be decoded the name
      and why.

    Raises:
      OSError: the machine fails.
    """
    left, broken = dict[str, set[str]](), dict[str, dict[str, str]]()
    jobs = list[Job]()
    for task in tasks:
        own = [job for job in task.jobs(spool) if spool.load(job.name) is None]
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


def finish(task: Task, spool: Spool, broken: Mapping[str, str]) -> Made:
    """Writes a shard of videos that are in a spool, and its record.

    Args:
      task: the shard.
      spool: with its videos.
      broken: why a video is not there, by its name.

    Raises:
      OSError: the machine fails, or the storage.
    """
    made = _write(task, spool, broken)
    make_folder(task.record.parent)
    records.write(task.record, msgspec.to_builtins(made))
    return made


def find(task: Task) -> Made | None:
    """What is there of a shard, if every byte of it is; None where it has to be made."""
    made = recorded(task)
    if made is None:
        return None
    try:
        return made if _sums(as_path(task.folder) / made.file) == made.sums else None
    # What ArrayRecord says of a damaged file.
    except (RuntimeError, ValueError, IndexError):
        return None


def recorded(task: Task) -> Made | None:
    """What a shard's record says, if it is of these videos and its file has the right size."""
    try:
        made = records.read(task.record, Made, "it is made again")
        size = (as_path(task.folder) / made.file).stat().st_size
    except (FileNotFoundError, records.RecordError):
        return None
    return made if _is_of(made, task) and size == made.bytes else None


def refuse_other_code(planned: str) -> None:
    """Refuses to make a shard that other code has planned.

    Raises:
      MismatchError: says which versions are here and there.
    """
    if (own := code_version()) != planned:
        raise MismatchError(
            f"a worker runs other code than the command: {own} on the worker, {planned} where the "
            "command was given; install the same versions on both"
        )


def _is_of(made: Made, task: Task) -> bool:
    names = {video_name(entry) for entry in task.shard.entries}
    whole = len(made.videos) == len(made.labels) == len(made.rates) == len(made.sums)
    listed = {*made.videos, *made.broken}
    return whole and made.file == task.shard.file and listed == names


def _write(task: Task, spool: Spool, broken: Mapping[str, str]) -> Made:
    """Writes the file and reads it back."""
    from vidjax.data.tfds_features import Serializer, features_of

    jobs = task.jobs(spool)
    there = [job for job in jobs if job.name not in broken]
    serialized = Serializer(
        features_of(task.classes, multi_label=task.multi_label, flow=task.storage.flow is not None)
    )
    rates, sums, content = list[float](), list[int](), 0
    with replacing(make_folder(as_path(task.folder)) / task.shard.file) as unfinished:
        with _record_writer(unfinished) as add:
            for job in there:
                found = spool.reload(job.name)
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
        # In the order of the plan, whichever was first.
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
    """Reads back what was written just now.

    Raises:
      OSError: it is not what was written.
    """
    try:
        right = _sums(file) == sums
    except (RuntimeError, ValueError, IndexError):
        right = False
    if not right:
        raise OSError(errno.EIO, "what was written cannot be read back", str(file))


def _sums(file: Path) -> list[int]:
    """CRC-32 of each record of a file."""
    from array_record.python.array_record_module import ArrayRecordReader

    with here(file) as local:
        reader = ArrayRecordReader(str(local))
        try:
            return [zlib.crc32(reader.read([place])[0]) for place in range(reader.num_records())]
        finally:
            reader.close()
