"""Plans which videos go into which shard of a prepared data set, before any video is decoded.

As in TFDS, the records of a split are sorted by a hash of the video names. A shard is a contiguous
part of that order. The plan depends only on the list of videos and on the storage settings. It is
the same for one process and for a cluster of any size, and any worker can write any shard. A broken
video leaves a gap and moves no other video to another shard.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vidjax.data.catalog import Storage
from vidjax.data.dataset_info import ARRAY_RECORD
from vidjax.data.decode_jobs import video_name
from vidjax.data.manifest import Manifest
from vidjax.data.manifest_entry import Entry

# Videos per shard at 128 pixels: with 250 frames of 7 kB each, 450 MB. Larger frames take more.
_VIDEOS, _SIDE, _FEWEST = 256, 128, 8


@dataclass(frozen=True)
class Shard:
    """A planned file of a prepared data set.

    Attributes:
      file: file name.
      split: name of the split.
      entries: the videos in the order of the records.
    """

    file: str
    split: str
    entries: tuple[Entry, ...]


def plan(name: str, manifest: Manifest, storage: Storage) -> list[Shard]:
    """Plans the shards of a data set, split by split.

    Args:
      name: name of the data set.
      manifest: the videos.
      storage: how frames are stored.
    """
    return [
        shard
        for split in manifest.splits
        for shard in _shards(name, split, manifest.split(split), _videos(storage))
    ]


def _shards(name: str, split: str, entries: tuple[Entry, ...], most: int) -> list[Shard]:
    ordered = sorted(entries, key=lambda entry: _hash(split, video_name(entry)))
    count = -(-len(ordered) // most)
    ends = [round(len(ordered) * number / count) for number in range(count + 1)]
    return [
        Shard(
            f"{name}-{split}.{ARRAY_RECORD}-{number:05}-of-{count:05}",
            split,
            tuple(ordered[ends[number] : ends[number + 1]]),
        )
        for number in range(count)
    ]


def _videos(storage: Storage) -> int:
    """Returns the most videos per shard, chosen to keep its size below about a gigabyte."""
    share = min(1.0, (_SIDE / storage.short_side) ** 2)
    return max(_FEWEST, round(_VIDEOS * share))


def _hash(split: str, name: str) -> int:
    """Computes TFDS's hash: MD5 of the split and the name, with backslashes as slashes."""
    salted = hashlib.md5(split.encode(), usedforsecurity=False)
    salted.update(name.replace("\\", "/").encode())
    return int(salted.hexdigest(), 16)
