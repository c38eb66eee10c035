"""Makes a prepared data set with many shards from the videos of a small one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.data.checksums import FILE
from vidjax.data.dataset_info import ARRAY_RECORD, INFO
from vidjax.data.integrity import open_data_set, record_sizes
from vidjax.data.record_index import read_record_index, write_record_index
from vidjax.storage.writing import make_folder, replacing, write_text


def copy_into_shards(folder: Path, to: Path, split: str, lengths: tuple[int, ...]) -> None:
    """Writes a data set of one split, whose shards repeat the videos of another data set in turn.

    Args:
      folder: folder of a local prepared data set with one label per video.
      to: local folder of the new data set.
      split: name of the split.
      lengths: number of videos in each shard.

    Raises:
      OSError: the data set cannot be written.
    """
    from array_record.python.array_record_module import ArrayRecordWriter

    found = open_data_set(folder)
    stored, listed = found.records(split), read_record_index(folder, split, found.info.classes)
    make_folder(to)
    # Reports and tables describe the old data set, so they are not copied.
    for file in folder.iterdir():
        if file.suffix in (".json", ".txt") and file.name not in (FILE, INFO):
            shutil.copyfile(file, to / file.name)
    info = records.parsed((folder / INFO).read_bytes(), dict[str, Any])
    info["splits"] = [each for each in info["splits"] if each["name"] == split]
    info["splits"][0]["shardLengths"] = [str(length) for length in lengths]
    write_text(to / INFO, json.dumps(info))
    number = _turns(len(stored))
    rows = []
    for place, length in enumerate(lengths):
        name = f"{info['name']}-{split}.{ARRAY_RECORD}-{place:05}-of-{len(lengths):05}"
        with replacing(to / name) as unfinished:
            writer = ArrayRecordWriter(str(unfinished), "group_size:1")
            for _ in range(length):
                video, label = listed[index := next(number)]
                assert isinstance(label, int)
                writer.write(stored[index])
                rows.append((split, found.info.classes[label], video))
            writer.close()
    write_record_index(to, rows)
    record_sizes(to)


def _turns(count: int) -> Iterator[int]:
    while True:
        yield from range(count)
