"""Shuffles videos so that only a few shards are read at a time, for remote data sets.

Shuffling all videos reads from every shard in the first batches, so that all shards must be copied
before training begins. Here a batch comes from a few shards.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass

import numpy as np

from vidjax.data.prepared import VideoSource
from vidjax.data.record import Record


@dataclass(frozen=True)
class _Epoch:
    """The order of one epoch.

    Attributes:
      shards: shard indices in reading order.
      ends: position in the order after the last video of each shard.
      lanes: position at which each lane's part of the order begins, and the total length.
    """

    shards: np.ndarray
    ends: np.ndarray
    lanes: np.ndarray


class ShardShuffle:
    """An endless sequence of videos, each once per epoch, that reads few shards at a time.

    Each epoch draws an order of the shards, and of the videos in each. The order is cut into as
    many parts as shards are read at a time. Each part belongs to a block of a batch's rows, a lane,
    which reads it from start to end. A process with some of the rows therefore reads only the
    shards of its lanes. The video of a clip depends on the seed and the batch size, but not on the
    number of processes.

    Args:
      source: the videos.
      seed: seed of the order.
      lanes: number of shards read at a time.
      batch_size: rows of a batch, a multiple of `lanes`.

    Raises:
      ValueError: `lanes` does not divide the batch size, or the source has no shards.
    """

    def __init__(self, source: VideoSource, seed: int, lanes: int, batch_size: int) -> None:
        if batch_size % lanes:
            raise ValueError(
                f"data.shuffle_shards = {lanes} does not divide the batch size {batch_size}, but "
                "each shard provides equally many rows; change one of the two"
            )
        lengths = getattr(source, "shard_lengths", ())
        if not lengths:
            raise ValueError(
                f"data.shuffle_shards = {lanes}: {source!r} has no shards; set it to 0"
            )
        self._source, self._seed, self._lanes = source, seed, lanes
        self._rows = batch_size // lanes
        self._lengths = np.array(lengths)
        self._firsts = np.cumsum(self._lengths) - self._lengths
        # Caches for the reading threads: the current and next epoch, and their shards.
        self._epoch = functools.lru_cache(4)(self._drawn)
        self._within = functools.lru_cache(4 * lanes + 16)(self._permutation)
        self._prefetched = functools.lru_cache(16 * lanes + 64)(self._prefetch_next)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, number: int) -> Record:
        epoch, lane, slot, video = self._find(int(number))
        self._prefetched(epoch, lane, slot)
        return self._source[video]

    def __repr__(self) -> str:
        """Describes the content, not the object: grain compares it when a run resumes."""
        # The class' former name, so that runs of earlier versions can be resumed.
        return f"ByShards({self._source!r}, {self._lanes})"

    def video(self, number: int) -> int:
        """Returns the index of the video of clip `number`."""
        return self._find(number)[3]

    def _find(self, number: int) -> tuple[int, int, int, int]:
        """Returns epoch and lane of a clip, position of its shard in the order, and its video."""
        size = len(self._source)
        epoch = number // size
        order = self._epoch(epoch)
        lane = number // self._rows % self._lanes
        before = self._clips(number)[lane] - self._clips(epoch * size)[lane]
        place = int(order.lanes[lane] + before)
        slot = int(np.searchsorted(order.ends, place, side="right"))
        shard = int(order.shards[slot])
        # Counted from the shard's end, so negative: indexes the array from its end.
        within = self._within(epoch, shard)[place - order.ends[slot]]
        return epoch, lane, slot, int(self._firsts[shard] + within)

    def _clips(self, number: int) -> np.ndarray:
        """Returns how many of the clips before `number` belong to each lane, int `[lanes]`."""
        whole, rest = divmod(number, self._rows * self._lanes)
        return whole * self._rows + np.clip(
            rest - self._rows * np.arange(self._lanes), 0, self._rows
        )

    def _drawn(self, epoch: int) -> _Epoch:
        shards = np.random.default_rng((self._seed, epoch)).permutation(len(self._lengths))
        size = len(self._source)
        counts = self._clips((epoch + 1) * size) - self._clips(epoch * size)
        return _Epoch(shards, np.cumsum(self._lengths[shards]), np.cumsum([0, *counts]))

    def _permutation(self, epoch: int, shard: int) -> np.ndarray:
        rng = np.random.default_rng((self._seed, epoch, 1 + shard))
        return rng.permutation(self._lengths[shard])

    def _prefetch_next(self, epoch: int, lane: int, slot: int) -> None:
        """Prefetches, once per shard, the shard that its lane reads next."""
        order = self._epoch(epoch)
        if order.ends[slot] >= order.lanes[lane + 1]:
            order = self._epoch(epoch + 1)
            slot = int(np.searchsorted(order.ends, order.lanes[lane], side="right"))
            # A lane with few clips may have none in that epoch.
            slot = min(slot, len(order.shards) - 1)
        else:
            slot += 1
        if expect := getattr(self._source, "expect", None):
            expect(int(self._firsts[order.shards[slot]]))
