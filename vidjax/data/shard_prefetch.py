"""Prefetches shards when videos are read in the order in which they are stored."""

from __future__ import annotations

import numpy as np

from vidjax.data.prepared import VideoSource

# Shards to prefetch while one is being read.
_SHARDS = 2


class ShardPrefetcher:
    """Tells a video source which shards will be needed next. Sources without shards are left alone.

    Args:
      source: the videos.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source, self._at = source, -1
        self._ends = np.cumsum(getattr(source, "shard_lengths", ()))

    def reading(self, video: int) -> None:
        """Notes that video number `video` is read next; call it before each read."""
        shard = int(np.searchsorted(self._ends, video, side="right"))
        if shard == self._at:
            return
        self._at = shard
        for end in self._ends[shard : shard + _SHARDS]:
            if end < len(self._source):
                self._source.expect(int(end))  # type: ignore[attr-defined]
