"""The order in which a run sees the videos of a split.

Clip number n is a video that depends on the seed and n alone, whatever the number of processes
and threads. Nothing needs replaying after a restart.
"""

from __future__ import annotations

import functools
import sys

import grain
import numpy as np

from vidjax.data.prepared import VideoSource
from vidjax.data.record import Record
from vidjax.data.shard_shuffle import ByShards

SAMPLINGS = ("uniform", "balanced")


def ordered(
    source: VideoSource,
    seed: int,
    sampling: str = "uniform",
    *,
    shards: int = 0,
    batch_size: int = 1,
    at_once: int = 0,
) -> grain.MapDataset:
    """The endless sequence of the records that a run sees.

    Args:
      source: the videos.
      seed: of the order.
      sampling: `uniform`, each video once an epoch, or `balanced`, as in `Balanced`.
      shards: how many are read at a time, as in `ByShards`; 0 shuffles all videos.
      batch_size: of which they give equal parts.
      at_once: how many of them this process reads at a time; 0 is all of `shards`.

    Raises:
      ValueError: there are no shards, they do not divide the batch, or there is no room for copies
        of those that are needed at once.
    """
    fits = getattr(source, "fits", None)
    if shards:
        if fits and not fits(at_once or shards):
            raise ValueError(
                f"data.shuffle_shards = {shards}: copies of {at_once or shards} shards of "
                f"{source!r} at once take more than data.cache_gb; set it to more, or "
                "data.shuffle_shards to less"
            )
        return grain.MapDataset.source(ByShards(source, seed, shards, batch_size)).seed(seed)
    if fits and not fits():
        raise ValueError(
            f"{source!r} is larger than data.cache_gb lets copies be, and the order is that of all "
            "videos, which asks for every shard at once: set data.shuffle_shards, such as to 8, "
            "or data.cache_gb to more"
        )
    if sampling == "balanced":
        return grain.MapDataset.source(Balanced(source, seed)).seed(seed)
    return grain.MapDataset.source(source).seed(seed).shuffle().repeat()


class Balanced:
    """An endless sequence in which every class comes equally often.

    An epoch has as many clips as the split has videos. Classes take turns: after any number of
    whole epochs two of them differ by one clip at most. The videos of a class take turns as well,
    in an order that is drawn anew each time all have come. The clips of an epoch are shuffled.
    Videos whose class is not known (damaged ones of old data sets) do not come.

    Args:
      source: the videos.
      seed: of the order.
    """

    def __init__(self, source: VideoSource, seed: int) -> None:
        labels = source.labels()
        self._source, self._seed = source, seed
        self._videos = [np.flatnonzero(labels == each) for each in np.unique(labels[labels >= 0])]
        # Of an epoch, and of the classes: so many lie ready for the threads that read.
        self._shuffled = functools.lru_cache(4)(self._permutation)
        self._turns = functools.lru_cache(4096)(self._permutation)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, number: int) -> Record:
        return self._source[self.video(int(number))]

    def __repr__(self) -> str:
        """Names the content, not the object: grain compares it when a run resumes."""
        return f"Balanced({self._source!r})"

    def video(self, number: int) -> int:
        """Which video clip `number` is of."""
        size, classes = len(self._source), len(self._videos)
        epoch, place = divmod(number, size)
        turn, kind = divmod(epoch * size + int(self._shuffled(size, 0, epoch)[place]), classes)
        videos = self._videos[kind]
        again, which = divmod(turn, len(videos))
        return int(videos[self._turns(len(videos), 1 + kind, again)[which]])

    def _permutation(self, size: int, stream: int, number: int) -> np.ndarray:
        return np.random.default_rng((self._seed, stream, number)).permutation(size)
