"""A data set of shards that others make: what is noted before the first, and said after the last.

Until a data set is complete, a folder beside it holds the plan and the record of each shard that is
there. So the same command goes on wherever it was interrupted, and readers find a data set whole or
not at all: `dataset_info.json` comes after the shards, and that folder goes last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import tensorflow_datasets as tfds

from vidjax import records
from vidjax.data.checksums import write_seal
from vidjax.data.dataset_errors import damaged
from vidjax.data.dataset_info import ARRAY_RECORD, INFO
from vidjax.data.decoded_cache import spool_of
from vidjax.data.integrity import refuse_halves
from vidjax.data.record_index import write_contents
from vidjax.data.shard_writer import Made, Task
from vidjax.storage.local_copies import remove_folder, scratch
from vidjax.storage.writing import make_folder, sweep, write_bytes

# In the folder beside the data set: the plan, and the folder of the records.
PLAN, MADE = "plan.json", "made"


class _Plan(msgspec.Struct):
    shards: int
    digest: str


def begin(folder: Path, tasks: Sequence[Task]) -> None:
    """Notes the plan, before any shard is made.

    What is there of another plan, which another version of vidjax has made, is removed.

    Args:
      folder: of the data set, owned by this process.
      tasks: the plan.

    Raises:
      DamagedError: the folder holds something that is no beginning of a data set.
      OSError: it cannot be written.
    """
    beside = spool_of(folder)
    if not beside.is_dir():
        refuse_halves(folder)
    known, ours = _noted(beside / PLAN), _Plan(len(tasks), _digest(tasks))
    if known != ours:
        if (folder / INFO).is_file():
            raise damaged(folder, "an earlier version of vidjax has left it unfinished")
        remove_folder(beside / MADE)
        for shard in folder.glob(f"*.{ARRAY_RECORD}-*"):
            shard.unlink()
        make_folder(beside)
        records.write(beside / PLAN, msgspec.to_builtins(ours))
    _remove_unfinished(folder)


def require_there(folder: Path, tasks: Sequence[Task]) -> None:
    """Refuses to go on where others have made shards that this machine does not see.

    Raises:
      ValueError: names the first, and what to do.
    """
    seen = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    missing = [task.shard.file for task in tasks if task.shard.file not in seen]
    if missing:
        raise ValueError(
            f"{folder / missing[0]} was made and is not here: the workers of a cluster write to "
            "another disk; set data_dir to a bucket (gs://...), or to a folder that all machines "
            "share"
        )


def describe(folder: Path, info: tfds.core.DatasetInfo, made: Sequence[Made]) -> None:
    """Writes what describes the shards of a data set, and what is in them.

    Args:
      folder: of the data set.
      info: what TFDS has to say of it.
      made: the shards in their order.

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
    write_contents(folder, rows)
    sizes = {each.file: each.bytes for each in made}
    write_seal(folder, sizes, {each.file: each.sums for each in made})


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
        return records.read(file, _Plan, "it is written anew")
    except (FileNotFoundError, records.RecordError):
        return None


def _digest(tasks: Sequence[Task]) -> str:
    sum_ = hashlib.sha256()
    for task in tasks:
        sum_.update(f"{task.shard.file}\n{task.shard.entries!r}\n".encode(errors="surrogateescape"))
    return sum_.hexdigest()[:16]


def _remove_unfinished(folder: Path) -> None:
    """Removes what killed processes have left."""
    # Of TFDS, which wrote data sets in earlier versions.
    for unfinished in folder.parent.glob(f"incomplete.*_{folder.name}"):
        shutil.rmtree(unfinished)
    if folder.is_dir():
        sweep(folder, owned=True)
