"""Which videos become which shard of a prepared data set, known before any of them is decoded.

The order of a split's records is TFDS's: videos are sorted by a hash of their names. A shard is a
stretch of that order. So the plan depends on the list of videos and on the form of their frames
alone. It is the same for one process and for a cluster of any size, and a shard can be made by
whoever has time. What turns out to be broken leaves a gap and moves no other video to another
shard.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vidjax.data.catalog import Storage
from vidjax.data.dataset_info import ARRAY_RECORD
from vidjax.data.decode_jobs import video_name
from vidjax.data.manifest import Manifest
from vidjax.data.manifest_entry import Entry

# Videos of a shard at 128 pixels: 250 frames of 7 kB each are 450 MB. Larger pictures take more.
_VIDEOS, _SIDE, _FEWEST = 256, 128, 8


@dataclass(frozen=True)
class Shard:
    """A file of a prepared data set that is to be.

    Attributes:
      file: its name.
      split: that it is a part of.
      entries: the videos in the order of its records.
    """

    file: str
    split: str
    entries: tuple[Entry, ...]


def plan(name: str, manifest: Manifest, storage: Storage) -> list[Shard]:
    """The shards of a data set, split by split.

    Args:
      name: of the data set.
      manifest: its videos.
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
    """The most videos of a shard: as many as keep its size below a gigabyte or so."""
    share = min(1.0, (_SIDE / storage.short_side) ** 2)
    return max(_FEWEST, round(_VIDEOS * share))


def _hash(split: str, name: str) -> int:
    """TFDS's: MD5 of the split and the name, in which a backslash counts as a slash."""
    salted = hashlib.md5(split.encode(), usedforsecurity=False)
    salted.update(name.replace("\\", "/").encode())
    return int(salted.hexdigest(), 16)
