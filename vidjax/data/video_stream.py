"""Streams a video of any length: frame after frame on a uniform time grid, without keeping them.

The frames equal those of `vidjax.data.decode.read_video`, which keeps all of them in memory.
"""

from __future__ import annotations

import functools
import heapq
import math
from array import array
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from vidjax.data.decode import SLACK
from vidjax.data.decode_limits import DecodeError, DecodeLimitError, Limits, Meter
from vidjax.data.timestamps import is_uniform, rate_of
from vidjax.data.video_segment import VideoSegment

# No codec delays a frame by more than this many others.
_MOST_REORDERED = 16


class VideoStream(Iterator[tuple[np.ndarray, float]]):
    """An iterator over frames uint8 `[H, W, 3]` and their seconds from the video's first frame.

    If a frame is repeated for several grid times, the same array is returned each time.

    Attributes:
      fps: frames per second.
      count: number of frames, if it was asked for.

    Raises:
      DecodeError: raised while iterating, after the frames before it, if the file is broken,
        exceeds a limit, or has no frames.
    """

    def __init__(
        self,
        fps: float,
        frames: Iterator[tuple[np.ndarray, float]],
        wanted: _Wanted,
        count: int | None = None,
    ) -> None:
        self.fps, self.count, self._frames, self._wanted = fps, count, frames, wanted

    def __next__(self) -> tuple[np.ndarray, float]:
        """Returns the next frame."""
        return next(self._frames)

    def at(self, indices: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (index, frame) for the given indices, in order; stops decoding after the last.

        Other frames are decoded where these need them, and not converted to RGB.
        """
        last = max(indices)
        self._wanted.indices = frozenset(indices)
        for index, (frame, _) in enumerate(self):
            if index in indices:
                yield index, frame
            if index == last:
                return


@dataclass
class _Wanted:
    """Indices of the frames that are asked for; None means all."""

    indices: frozenset[int] | None = None

    def __contains__(self, index: int) -> bool:
        return self.indices is None or index in self.indices


# Stands for a frame that nobody asked for.
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


def stream_video(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    short_side: int | None = None,
    limits: Limits | None = None,
    counted: bool = False,
) -> VideoStream:
    """Decodes a video, or the segment from `start` to `end` seconds, on demand.

    Without `fps`, or with `counted`, the file is decoded twice, because only a full pass tells
    whether its frame rate varies and how many frames it has.

    Args:
      path: file or URL.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end of the video.
      fps: output frame rate; None keeps the file's.
      short_side: shorter side in pixels that larger frames are resized to while decoding.
      limits: decoding limits; None is `Limits.in_proportion`. The time that the caller spends
        between two frames does not count.
      counted: whether to count the frames in advance.

    Raises:
      ValueError: `fps` is not above 0.
      DecodeError: without `fps`, the file cannot be opened; with `counted`, it is broken.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps = {fps}: must be above 0")
    limits = limits or Limits.in_proportion(path)

    def segment(meter: Meter) -> VideoSegment:
        return VideoSegment(path, meter, start=start, end=end, short_side=short_side)

    gridded, count = fps is not None, None
    if fps is None or counted:
        times, stated = _times(segment(Meter.of(path, limits)), whole=counted)
        gridded = gridded or not is_uniform(times)
        fps = fps or rate_of(times, stated)
        count = _moments(times[-1] - times[0], fps) if gridded else len(times)
    meter = Meter.of(path, limits)
    wanted = _Wanted()
    frames = _frames(path, segment(meter), meter, fps if gridded else None, wanted)
    return VideoStream(fps, frames, wanted, count if counted else None)


def _moments(seconds: float, fps: float) -> int:
    """Returns the number of grid times within a duration."""
    return round(seconds * fps) + 1


def _times(segment: VideoSegment, *, whole: bool) -> tuple[np.ndarray, float]:
    """Returns the sorted times of the frames, and the frame rate in the header."""
    frames = _Unbroken(segment.frames())
    times = array("d", (time for _, time in frames))
    if not times or (whole and frames.error):
        raise frames.error or segment.nothing()
    # An error is raised again later, after the frames before it.
    return np.sort(np.frombuffer(times)), segment.stated


def _frames(
    path: str | Path, segment: VideoSegment, meter: Meter, fps: float | None, wanted: _Wanted
) -> Iterator[tuple[np.ndarray, float]]:
    source, count = _Unbroken(segment.frames()), 0
    shown = _in_order(segment, source)
    for frame, time in shown if fps is None else _on_grid(shown, fps):
        if count == meter.limits.frames:
            rate = "" if fps is None else f" at {fps:g} fps"
            raise DecodeLimitError(f"{path}: more than {count} frames{rate}")
        image = frame.image if count in wanted else _NO_IMAGE
        with meter.resting():
            yield image, time
        count += 1
    if source.error or not count:
        raise source.error or segment.nothing()


class _Unbroken(Iterator[tuple[av.VideoFrame, float]]):
    """Iterates over frames up to the end or the first error, which `error` then holds."""

    def __init__(self, frames: Iterator[tuple[av.VideoFrame, float]]) -> None:
        self._frames = frames
        self.error: DecodeError | None = None

    def __next__(self) -> tuple[av.VideoFrame, float]:
        try:
            return next(self._frames)
        except DecodeError as error:
            self.error = error
            raise StopIteration from None


class _Shown:
    """A frame whose image is made on first use."""

    def __init__(self, segment: VideoSegment, frame: av.VideoFrame) -> None:
        self._make = functools.partial(segment.image, frame)

    @functools.cached_property
    def image(self) -> np.ndarray:
        image = self._make()
        # Frees the decoded frame, which may be much larger.
        del self._make
        return image


def _in_order(
    segment: VideoSegment, frames: Iterator[tuple[av.VideoFrame, float]]
) -> Iterator[tuple[_Shown, float]]:
    """Yields frames in the order they come, with their times sorted."""
    waiting: deque[_Shown] = deque()
    times: list[float] = []
    for frame, time in frames:
        shown = _Shown(segment, frame)
        if segment.ordered:
            yield shown, time
            continue
        _ = shown.image
        waiting.append(shown)
        heapq.heappush(times, time)
        if len(waiting) > _MOST_REORDERED:
            yield waiting.popleft(), heapq.heappop(times)
    yield from zip(waiting, sorted(times), strict=True)


def _on_grid(frames: Iterator[tuple[_Shown, float]], fps: float) -> Iterator[tuple[_Shown, float]]:
    """Yields the latest frame at each grid time, from the first frame to the last."""
    first = next(frames, None)
    if first is None:
        return
    shown, begin = first
    moment, last = 0, begin
    for following, time in frames:
        while begin + moment / fps + SLACK < time:
            yield shown, begin + moment / fps
            moment += 1
        shown, last = following, time
    while moment < _moments(last - begin, fps):
        yield shown, begin + moment / fps
        moment += 1
