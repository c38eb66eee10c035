"""Assembles a data set from shards: the plan is saved before them, the metadata after them.

Until a data set is complete, a folder beside it holds the plan and one record per finished shard.
Running the same command again therefore resumes an interrupted preparation. Readers see a complete
data set or none: `dataset_info.json` is written after the shards, and the folder beside it is
removed last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import tensorflow_datasets as tfds

from vidjax import records
from vidjax.data.checksums import write_checksums
from vidjax.data.dataset_errors import damaged
from vidjax.data.dataset_info import ARRAY_RECORD, INFO
from vidjax.data.decoded_cache import unfinished_folder
from vidjax.data.integrity import refuse_incomplete
from vidjax.data.record_index import write_record_index
from vidjax.data.shard_writer import Made, Task
from vidjax.storage.local_copies import remove_folder, scratch
from vidjax.storage.writing import make_folder, remove_unfinished, write_bytes

# Names in the folder beside the data set: the plan, and the folder of shard records.
PLAN, MADE = "plan.json", "made"


class _Plan(msgspec.Struct):
    shards: int
    digest: str


def save_plan(folder: Path, tasks: Sequence[Task]) -> None:
    """Saves the plan before any shard is written.

    Shards of a different plan, left by another version of vidjax, are removed.

    Args:
      folder: folder of the data set, owned by this process.
      tasks: the plan.

    Raises:
      DamagedError: the folder holds files that do not belong to an unfinished data set.
      OSError: the folder cannot be written.
    """
    beside = unfinished_folder(folder)
    if not beside.is_dir():
        refuse_incomplete(folder)
    known, ours = _noted(beside / PLAN), _Plan(len(tasks), _digest(tasks))
    if known != ours:
        if (folder / INFO).is_file():
            raise damaged(folder, "an earlier version of vidjax left it unfinished")
        remove_folder(beside / MADE)
        for shard in folder.glob(f"*.{ARRAY_RECORD}-*"):
            shard.unlink()
        make_folder(beside)
        records.write(beside / PLAN, msgspec.to_builtins(ours))
    _remove_unfinished(folder)


def require_shards(folder: Path, tasks: Sequence[Task]) -> None:
    """Stops if workers have written shards that this machine cannot see.

    Raises:
      ValueError: names the first missing shard and the fix.
    """
    seen = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    missing = [task.shard.file for task in tasks if task.shard.file not in seen]
    if missing:
        raise ValueError(
            f"a worker wrote {folder / missing[0]}, but it is not on this machine: the cluster's "
            "workers write to another disk. Set data_dir to a bucket (gs://...) or to a folder "
            "that all machines share"
        )


def write_metadata(folder: Path, info: tfds.core.DatasetInfo, made: Sequence[Made]) -> None:
    """Writes the metadata of a data set: TFDS's files, the index of videos, and checksums.

    Args:
      folder: folder of the data set.
      info: TFDS's description of the data set.
      made: the shards in order.

    Raises:
      OSError: the folder cannot be written.
    """
    info.set_splits(tfds.core.splits.SplitDict([*_splits(made)]))
    info.download_size = 0
    with scratch() as place:
        info.write_to_directory(str(place))
        for file in sorted(place.iterdir(), key=lambda file: (file.name == INFO, file.name)):
            write_bytes(folder / file.name, file.read_bytes())
    rows = [
        (each.split, *row) for each in made for row in zip(each.labels, each.videos, strict=True)
    ]
    write_record_index(folder, rows)
    sizes = {each.file: each.bytes for each in made}
    write_checksums(folder, sizes, {each.file: each.sums for each in made})


def _splits(made: Sequence[Made]) -> Iterable[tfds.core.SplitInfo]:
    for split in dict.fromkeys(each.split for each in made):
        own = [each for each in made if each.split == split]
        yield tfds.core.SplitInfo(
            name=split,
            shard_lengths=[len(each.videos) for each in own],
            num_bytes=sum(each.content for each in own),
        )


def _noted(file: Path) -> _Plan | None:
    try:
        return records.read(file, _Plan, "it is written again")
    except (FileNotFoundError, records.RecordError):
        return None


def _digest(tasks: Sequence[Task]) -> str:
    sum_ = hashlib.sha256()
    for task in tasks:
        sum_.update(f"{task.shard.file}\n{task.shard.entries!r}\n".encode(errors="surrogateescape"))
    return sum_.hexdigest()[:16]


def _remove_unfinished(folder: Path) -> None:
    """Removes unfinished files of killed processes."""
    # Earlier versions wrote data sets with TFDS, which leaves such folders.
    for unfinished in folder.parent.glob(f"incomplete.*_{folder.name}"):
        shutil.rmtree(unfinished)
    if folder.is_dir():
        remove_unfinished(folder, owned=True)
