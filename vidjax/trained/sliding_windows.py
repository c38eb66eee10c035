"""Sliding windows over a video of any length, in memory that does not grow with it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.flow_extraction import fields_of
from vidjax.data.optical_flow import places, shown_fields, stacked
from vidjax.data.video_stream import stream_video
from vidjax.data.views import Views
from vidjax.trained.preprocessing import Preprocessing, picked


@dataclass(frozen=True)
class Window:
    """A piece of a video as a network sees it.

    Attributes:
      start: seconds from the video's first frame to the window's.
      end: seconds, exclusive: when the frame after its last one is due.
      crops: uint8 `[S, T, size, size, 3]`.
    """

    start: float
    end: float
    crops: np.ndarray


def windows(
    video: Path,
    preprocessing: Preprocessing,
    *,
    crops: int = 1,
    start: float | None = None,
    end: float | None = None,
    every: float | None = None,
) -> Iterator[Window]:
    """Windows over a video, or over its piece from `start` to `end`, in the order of time.

    A window spans the frames of one clip, at the rate and stride of the network. The last one is
    moved back so that it ends where the video ends: all of the video is seen, and the last two
    may overlap. A video shorter than a window gives one, filled up by `preprocessing.short`.

    Args:
      video: a file.
      preprocessing: of the network.
      crops: S of each window, as in `Views`.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.
      every: seconds from the start of a window to the start of the next; None is the length of a
        window, so that each follows the one before.

    Raises:
      DecodeError: the video cannot be decoded; if it breaks midway, after the windows before that.
      ValueError: `every` is shorter than a frame.
    """
    if every is not None and not (math.isfinite(every) and every > 0):
        raise ValueError(f"every = {every}: windows begin a time above 0 s after one another")
    side = preprocessing.stored_side or preprocessing.short_side
    stream = stream_video(video, fps=preprocessing.fps, start=start, end=end, short_side=side)
    span = (preprocessing.frames - 1) * preprocessing.stride + max(1, preprocessing.pairs)
    step = span if every is None else every * stream.fps
    if step < 1:
        raise ValueError(
            f"every = {every:g} s is shorter than a frame, of which {video} has {stream.fps:g} a "
            "second"
        )
    views, flow, pairs = preprocessing.views(crops=crops), preprocessing.flow, preprocessing.pairs
    shown = fields_of(stream, flow, video) if flow else stream
    # A field is of two frames.
    last = (2 if flow else 1) / stream.fps
    for times, frames in _spans(shown, views, span, step):
        if flow:
            (indices,) = views.shape.view_indices(places(len(frames), pairs), 1)
            clip = stacked(frames, shown_fields(indices, pairs, len(frames)))
        else:
            (indices,) = views.shape.view_indices(len(frames), 1)
            clip = picked(frames, indices)
        yield Window(times[0], times[-1] + last, views.crops_of(clip))


Span = tuple[deque[float], deque[np.ndarray]]


def _spans(
    stream: Iterable[tuple[np.ndarray, float]], views: Views, span: int, step: float
) -> Iterator[Span]:
    """Times and frames of the windows, to be used before the next ones are asked for."""
    times: deque[float] = deque(maxlen=span)
    frames: deque[np.ndarray] = deque(maxlen=span)
    count, number, given = 0, 0, -1
    picture = resized = None
    for each, time in stream:
        # A frame that is shown for several moments is resized once.
        if each is not picture or resized is None:
            picture, resized = each, views.resized(each[None])[0]
        times.append(time)
        frames.append(resized)
        count += 1
        if count == round(number * step) + span:
            yield times, frames
            number, given = number + 1, count
    # The next window would begin in the video, and runs past its end.
    if round(number * step) < count != given:
        yield times, frames
