"""The order in which a run reads the videos of a split.

The video of clip number n depends only on the seed and n, whatever the number of processes and
threads. A resumed run therefore need not replay earlier clips.
"""

from __future__ import annotations

import functools
import sys

import grain
import numpy as np

from vidjax.data.prepared import VideoSource
from vidjax.data.record import Record
from vidjax.data.shard_shuffle import ShardShuffle

SAMPLINGS = ("uniform", "balanced")


def shuffled_records(
    source: VideoSource,
    seed: int,
    sampling: str = "uniform",
    *,
    shards: int = 0,
    batch_size: int = 1,
    at_once: int = 0,
) -> grain.MapDataset:
    """Returns the endless shuffled sequence of records that a run reads.

    Args:
      source: the videos.
      seed: seed of the order.
      sampling: `uniform` reads each video once per epoch; `balanced` reads all classes equally
        often, as in `BalancedSampler`.
      shards: number of shards read at a time, as in `ShardShuffle`; 0 shuffles all videos.
      batch_size: batch size, which the number of shards must divide.
      at_once: number of those shards that this process reads; 0 is all of them.

    Raises:
      ValueError: the source has no shards, their number does not divide the batch size, or the
        cache is too small for the shards needed at once.
    """
    fits = getattr(source, "fits", None)
    if shards:
        if fits and not fits(at_once or shards):
            raise ValueError(
                f"data.shuffle_shards = {shards}: {at_once or shards} shards of {source!r} at once "
                "do not fit into data.cache_gb; raise data.cache_gb, or lower data.shuffle_shards"
            )
        return grain.MapDataset.source(ShardShuffle(source, seed, shards, batch_size)).seed(seed)
    if fits and not fits():
        raise ValueError(
            f"{source!r} is larger than data.cache_gb, and shuffling all videos reads from every "
            "shard at once; set data.shuffle_shards, for example to 8, or raise data.cache_gb"
        )
    if sampling == "balanced":
        return grain.MapDataset.source(BalancedSampler(source, seed)).seed(seed)
    return grain.MapDataset.source(source).seed(seed).shuffle().repeat()


class BalancedSampler:
    """An endless sequence of videos in which every class comes equally often.

    An epoch has as many clips as the split has videos. Classes take turns: after any number of
    whole epochs their counts differ by at most one. The videos of a class also take turns, in an
    order that is redrawn after each round. The clips of an epoch are shuffled. Videos without a
    known class (damaged ones of old data sets) are left out.

    Args:
      source: the videos.
      seed: seed of the order.
    """

    def __init__(self, source: VideoSource, seed: int) -> None:
        labels = source.labels()
        self._source, self._seed = source, seed
        self._videos = [np.flatnonzero(labels == each) for each in np.unique(labels[labels >= 0])]
        # Cached permutations of epochs and classes, for the reading threads.
        self._shuffled = functools.lru_cache(4)(self._permutation)
        self._turns = functools.lru_cache(4096)(self._permutation)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, number: int) -> Record:
        return self._source[self.video(int(number))]

    def __repr__(self) -> str:
        """Describes the content, not the object: grain compares it when a run resumes."""
        # The class' former name, so that runs of earlier versions can be resumed.
        return f"Balanced({self._source!r})"

    def video(self, number: int) -> int:
        """Returns the index of the video of clip `number`."""
        size, classes = len(self._source), len(self._videos)
        epoch, place = divmod(number, size)
        turn, kind = divmod(epoch * size + int(self._shuffled(size, 0, epoch)[place]), classes)
        videos = self._videos[kind]
        again, which = divmod(turn, len(videos))
        return int(videos[self._turns(len(videos), 1 + kind, again)[which]])

    def _permutation(self, size: int, stream: int, number: int) -> np.ndarray:
        return np.random.default_rng((self._seed, stream, number)).permutation(size)
