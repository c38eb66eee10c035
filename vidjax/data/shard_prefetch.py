"""Looking ahead where videos are read in the order in which they are stored."""

from __future__ import annotations

import numpy as np

from vidjax.data.prepared import VideoSource

# Shards that are on their way while one is read.
_SHARDS = 2


class Ahead:
    """Tells a source which shards come next. Sources without shards are not told anything.

    Args:
      source: the videos.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source, self._at = source, -1
        self._ends = np.cumsum(getattr(source, "shard_lengths", ()))

    def after(self, video: int) -> None:
        """A video is about to be read, and those after it will be."""
        shard = int(np.searchsorted(self._ends, video, side="right"))
        if shard == self._at:
            return
        self._at = shard
        for end in self._ends[shard : shard + _SHARDS]:
            if end < len(self._source):
                self._source.expect(int(end))  # type: ignore[attr-defined]
