"""The clips that a network sees of each video: evenly spread ones, or sliding windows."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vidjax.data.decode import DecodeError
from vidjax.data.manifest import Entry, Manifest
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.sliding_windows import Window, windows
from vidjax.trained.video_record import as_record


@dataclass(frozen=True)
class SampledClip:
    """One clip of a video.

    Attributes:
      video: index of the video in the list.
      clip: index of the clip within the video.
      window: its time span and its crops.
    """

    video: int
    clip: int
    window: Window


@dataclass(frozen=True)
class EndOfVideo:
    """The end of a video, after its last clip.

    Attributes:
      video: index of the video in the list.
      error: why the video cannot be read, or not to its end; empty if it can.
    """

    video: int
    error: str = ""


Event = SampledClip | EndOfVideo


@dataclass(frozen=True)
class ClipSampler:
    """How to sample clips from videos.

    Attributes:
      preprocessing: preprocessing of the network.
      clips: clips spread evenly over each video; 0 slides windows over it instead.
      crops: crops per clip.
      window_stride: seconds from the start of one window to the start of the next.
      threads: videos decoded at the same time.
    """

    preprocessing: Preprocessing
    clips: int = 1
    crops: int = 1
    window_stride: float | None = None
    threads: int = 2

    def all(self, manifest: Manifest, first: int = 0) -> Iterator[Event]:
        """Yields the clips of videos in order, and the end of each video.

        Args:
          manifest: the videos.
          first: index of the first video to read.
        """
        entries = manifest.entries[first:]
        if self.clips:
            for video, (looks, error) in enumerate(self._ahead(manifest, entries), start=first):
                yield from _told(video, iter(looks), error)
        else:
            for video, entry in enumerate(entries, start=first):
                yield from _told(video, self._sliding(manifest.file(entry), entry))

    def _sliding(self, file: Path, entry: Entry) -> Iterator[Window]:
        return windows(
            file,
            self.preprocessing,
            crops=self.crops,
            start=entry.start,
            end=entry.end,
            window_stride=self.window_stride,
        )

    def _ahead(
        self, manifest: Manifest, entries: Sequence[Entry]
    ) -> Iterator[tuple[list[Window], str]]:
        """Yields the clips of each video, which threads decode ahead of the computation."""

        def spread(entry: Entry) -> tuple[list[Window], str]:
            try:
                return self._spread(manifest.file(entry), entry), ""
            except DecodeError as error:
                return [], str(error)

        yield from _in_order(spread, entries, self.threads)

    def _spread(self, file: Path, entry: Entry) -> list[Window]:
        views = self.preprocessing.views(self.clips, self.crops)
        record = as_record(file, self.preprocessing, views, start=entry.start, end=entry.end)
        begin = entry.start or 0.0
        found = []
        for clip, indices in enumerate(views.shape.view_indices(record.length, self.clips)):
            seen = indices[indices >= 0]
            start = begin + seen.min() / record.fps
            end = begin + (seen.max() + record.span) / record.fps
            found.append(Window(float(start), float(end), views.cut(record, clip)))
        return found


def _told(video: int, looks: Iterator[Window], error: str = "") -> Iterator[Event]:
    """Yields the clips of a video and its end, early if decoding breaks off."""
    try:
        for clip, window in enumerate(looks):
            yield SampledClip(video, clip, window)
    except DecodeError as broken:
        error = str(broken)
    yield EndOfVideo(video, error)


def _in_order(
    function: Callable[[Entry], tuple[list[Window], str]], items: Sequence[Entry], threads: int
) -> Iterator[tuple[list[Window], str]]:
    """Yields results in the order of the items, and computes a few ahead."""
    pool, rest = ThreadPoolExecutor(threads), iter(items)
    waiting: collections.deque[Future[tuple[list[Window], str]]] = collections.deque()
    try:
        for item in itertools.islice(rest, 2 * threads):
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
            for item in itertools.islice(rest, 1):
                waiting.append(pool.submit(function, item))
    finally:
        pool.shutdown(cancel_futures=True)
