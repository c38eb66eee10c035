"""Converts the time stamps in a video file to seconds from the first frame."""

from __future__ import annotations

import collections
import itertools
import statistics
from collections.abc import Iterator

import av
import av.video
import numpy as np

from vidjax.data.decode_limits import DecodeError

# A longer step is not a pause but a discontinuity of the time stamps. Broadcasts are joined from
# parts with clocks of their own; ffmpeg uses 10 s there, too (dts_delta_threshold). Screen
# recordings may pause for minutes.
_LEAP, _LEAP_IN_BROADCASTS = 600.0, 10.0
_BROADCASTS = ("mpegts", "mpeg", "mpegtsraw")
# If all steps are long, as in time lapses, none of them is a discontinuity.
_TIMES_USUAL = 100
_REMEMBERED = 15
# A file of 64 bytes can have an index of millions of entries.
_MOST_INDEXED = 1_000_000
# If steps differ by more than this fraction of the usual step, the frame rate is variable.
_JITTER = 0.25
# Headers round. A stated rate further than this factor from the measured one is wrong.
_NEAR, _NEAR_ON_AVERAGE = 1.05, 2.0


class Clock:
    """Gives each frame of a stream its time in seconds, by the rules in `vidjax.data.decode`.

    Args:
      stream: the stream of the frames.
      origin: time stamp of the video's first frame, if reading starts later.
    """

    def __init__(self, stream: av.video.stream.VideoStream, origin: float | None = None) -> None:
        container = stream.container.format.name
        self._ordered = container != "avi"
        self._leap = _LEAP_IN_BROADCASTS if container in _BROADCASTS else _LEAP
        self._usual = 1 / (stated_rate(stream) or 25.0)
        self._steps: collections.deque[float] = collections.deque(maxlen=_REMEMBERED)
        self._origin = origin
        self._last: float | None = None

    def timed(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, float]]:
        """Yields frames in display order with their time in seconds.

        Raises:
          DecodeError: raised by `frames`, after the frames before it.
        """
        first, broken = _first(frames, 3)
        stamps = [frame.time for frame in first if frame.time is not None]
        steps = [b - a for a, b in itertools.pairwise(stamps) if b > a]
        self._usual = min(steps, default=self._usual)
        yield from ((frame, self._seconds(frame.time)) for frame in first)
        if broken:
            raise broken
        yield from ((frame, self._seconds(frame.time)) for frame in frames)

    def _seconds(self, stamp: float | None) -> float:
        if self._last is None:
            self._last = stamp or 0.0
            self._origin = self._last if self._origin is None else self._origin
            return self._last - self._origin
        assert self._origin is not None
        if stamp is None:
            stamp = self._last + self._usual
        elif self._ordered:
            step = stamp - self._last
            if step < 0 or step > max(self._leap, _TIMES_USUAL * self._usual):
                self._origin += step - self._usual
            elif step > 0:
                self._steps.append(step)
                self._usual = statistics.median(self._steps)
        self._last = stamp
        return stamp - self._origin


def _first(
    frames: Iterator[av.VideoFrame], count: int
) -> tuple[list[av.VideoFrame], DecodeError | None]:
    """Takes the first frames; also returns the error if there were too few because of one."""
    found: list[av.VideoFrame] = []
    try:
        found.extend(itertools.islice(frames, count))
    except DecodeError as error:
        return found, error
    return found, None


def has_leaps(stream: av.video.stream.VideoStream) -> bool:
    """Returns whether a file's index is unusable: discontinuous, or too long to check."""
    if len(stream.index_entries) > _MOST_INDEXED:
        return True
    stamps = [entry.timestamp for entry in stream.index_entries]
    longest = max((b - a for a, b in itertools.pairwise(stamps)), default=0)
    return float(longest * (stream.time_base or 0)) > _LEAP


def stated_rate(stream: av.video.stream.VideoStream) -> float:
    """Returns the frame rate in a stream's header; 0 if it states none."""
    return float(stream.average_rate or stream.guessed_rate or 0)


def is_uniform(times: np.ndarray) -> bool:
    """Returns whether the steps between times `[T]` are equal, up to jitter."""
    steps = np.diff(times)
    return len(steps) == 0 or bool(
        np.all(np.abs(steps - np.median(steps)) <= _JITTER * steps.max())
    )


def rate_of(times: np.ndarray, stated: float) -> float:
    """Returns the stated frame rate unless the times `[T]` contradict it; 1 if nothing is known."""
    steps = np.diff(times)
    if not np.any(steps > 0):
        return stated or 1.0
    uniform = is_uniform(times)
    measured = float(1 / np.mean(steps) if uniform else 1 / np.median(steps[steps > 0]))
    near = _NEAR if uniform else _NEAR_ON_AVERAGE
    return stated if measured / near <= stated <= measured * near else measured
