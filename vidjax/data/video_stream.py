"""A video of any length as a stream: frame after frame on a uniform grid of times, none kept.

The frames are those of `vidjax.data.decode.read_video`, which keeps them all.
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
from vidjax.data.decode_limits import CostError, DecodeError, Limits, Meter
from vidjax.data.timestamps import is_uniform, rate_of
from vidjax.data.video_segment import Piece

# No codec shows a frame later than after so many others.
_MOST_REORDERED = 16


class VideoStream(Iterator[tuple[np.ndarray, float]]):
    """Frames uint8 `[H, W, 3]` with their seconds from the video's first frame, one by one.

    A frame that is shown for several moments is the same array each time.

    Attributes:
      fps: frames a second.
      count: how many frames there are, where that was asked for.

    Raises:
      DecodeError: as frames are taken, after those that came before it: the file is broken, costs
        too much, or has no frames.
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
        """The next frame."""
        return next(self._frames)

    def at(self, indices: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
        """The frames at some indices with these, in order; what comes after is not decoded.

        Frames in between are decoded, as others need them, and not converted to pictures.
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
    """Indices of the frames whose pictures are asked for; None is all."""

    indices: frozenset[int] | None = None

    def __contains__(self, index: int) -> bool:
        return self.indices is None or index in self.indices


# Stands for the picture of a frame that nobody asked for.
_NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


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
    """Decodes a video, or the piece from `start` to `end` seconds, as it is asked for.

    Without an `fps`, and with `counted`, the file is decoded twice. Only its end tells whether its
    rate varies and how many frames it has.

    Args:
      path: file.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.
      fps: frame rate wanted; None keeps the file's.
      short_side: pixels that a longer short side is reduced to while decoding.
      limits: what it may cost; None is `Limits.in_proportion`. Seconds that the frames' taker
        spends between two of them do not count.
      counted: know the number of frames before the first one is taken.

    Raises:
      ValueError: the rate is not above 0.
      DecodeError: without an `fps`, the file cannot be opened; if `counted`, it breaks somewhere.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps = {fps}: a rate is above 0")
    limits = limits or Limits.in_proportion(path)

    def piece(meter: Meter) -> Piece:
        return Piece(path, meter, start=start, end=end, short_side=short_side)

    gridded, count = fps is not None, None
    if fps is None or counted:
        times, stated = _times(piece(Meter.of(path, limits)), whole=counted)
        gridded = gridded or not is_uniform(times)
        fps = fps or rate_of(times, stated)
        count = _moments(times[-1] - times[0], fps) if gridded else len(times)
    meter = Meter.of(path, limits)
    wanted = _Wanted()
    frames = _frames(path, piece(meter), meter, fps if gridded else None, wanted)
    return VideoStream(fps, frames, wanted, count if counted else None)


def _moments(seconds: float, fps: float) -> int:
    """How many moments of a grid lie within a time."""
    return round(seconds * fps) + 1


def _times(piece: Piece, *, whole: bool) -> tuple[np.ndarray, float]:
    """The times of the frames, sorted, and the rate that the header states."""
    frames = _Unbroken(piece.frames())
    times = array("d", (time for _, time in frames))
    if not times or (whole and frames.error):
        raise frames.error or piece.nothing()
    # A break is met again, after the frames before it.
    return np.sort(np.frombuffer(times)), piece.stated


def _frames(
    path: str | Path, piece: Piece, meter: Meter, fps: float | None, wanted: _Wanted
) -> Iterator[tuple[np.ndarray, float]]:
    source, count = _Unbroken(piece.frames()), 0
    shown = _in_order(piece, source)
    for frame, time in shown if fps is None else _on_grid(shown, fps):
        if count == meter.limits.frames:
            rate = "" if fps is None else f" at {fps:g} fps"
            raise CostError(f"{path}: more than {count} frames{rate}")
        picture = frame.picture if count in wanted else _NO_PICTURE
        with meter.resting():
            yield picture, time
        count += 1
    if source.error or not count:
        raise source.error or piece.nothing()


class _Unbroken(Iterator[tuple[av.VideoFrame, float]]):
    """Frames until they end or break; `error` says which."""

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
    """A frame's picture, made when it is first asked for."""

    def __init__(self, piece: Piece, frame: av.VideoFrame) -> None:
        self._make = functools.partial(piece.picture, frame)

    @functools.cached_property
    def picture(self) -> np.ndarray:
        picture = self._make()
        # The frame goes, which may be much larger.
        del self._make
        return picture


def _in_order(
    piece: Piece, frames: Iterator[tuple[av.VideoFrame, float]]
) -> Iterator[tuple[_Shown, float]]:
    """Frames as they come, with their times sorted."""
    waiting: deque[_Shown] = deque()
    times: list[float] = []
    for frame, time in frames:
        shown = _Shown(piece, frame)
        if piece.ordered:
            yield shown, time
            continue
        _ = shown.picture
        waiting.append(shown)
        heapq.heappush(times, time)
        if len(waiting) > _MOST_REORDERED:
            yield waiting.popleft(), heapq.heappop(times)
    yield from zip(waiting, sorted(times), strict=True)


def _on_grid(frames: Iterator[tuple[_Shown, float]], fps: float) -> Iterator[tuple[_Shown, float]]:
    """The latest frame at each moment, from the first frame to the last."""
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
