"""Slides windows over a video of any length, in constant memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.flow_extraction import fields_of
from vidjax.data.optical_flow import num_stacks, stack_fields, stack_indices
from vidjax.data.video_stream import stream_video
from vidjax.data.views import Views
from vidjax.trained.preprocessing import Preprocessing, picked


@dataclass(frozen=True)
class Window:
    """A window of a video, as a network sees it.

    Attributes:
      start: seconds from the video's first frame to the window's first.
      end: seconds, exclusive: the time of the frame after its last one.
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
    window_stride: float | None = None,
) -> Iterator[Window]:
    """Yields windows over a video, or over the piece from `start` to `end`, in temporal order.

    A window spans the frames of one clip, at the rate and stride of the network. The last window is
    moved back so that it ends with the video. So the whole video is seen, and the last two windows
    may overlap. A video shorter than a window gives one window, filled by the policy
    `preprocessing.short`.

    Args:
      video: a file.
      preprocessing: preprocessing of the network.
      crops: crops per window S, as in `Views`.
      start: start of the piece in seconds from the first frame; None is 0.
      end: end of the piece in seconds, exclusive; None is the end of the video.
      window_stride: seconds from the start of a window to the start of the next; None is the length
        of a window, so that windows are adjacent.

    Raises:
      DecodeError: the video cannot be decoded. If it breaks off midway, the windows before that
        come first.
      ValueError: `window_stride` is shorter than a frame.
    """
    if window_stride is not None and not (math.isfinite(window_stride) and window_stride > 0):
        raise ValueError(f"window_stride = {window_stride}: windows must be more than 0 s apart")
    side = preprocessing.stored_side or preprocessing.short_side
    stream = stream_video(video, fps=preprocessing.fps, start=start, end=end, short_side=side)
    span = (preprocessing.frames - 1) * preprocessing.stride + max(1, preprocessing.pairs)
    step = span if window_stride is None else window_stride * stream.fps
    if step < 1:
        raise ValueError(
            f"window_stride = {window_stride:g} s is shorter than a frame: {video} has "
            f"{stream.fps:g} frames per second"
        )
    views, flow, pairs = preprocessing.views(crops=crops), preprocessing.flow, preprocessing.pairs
    shown = fields_of(stream, flow, video) if flow else stream
    # A flow field takes two frames.
    last = (2 if flow else 1) / stream.fps
    for times, frames in _spans(shown, views, span, step):
        if flow:
            (indices,) = views.shape.view_indices(num_stacks(len(frames), pairs), 1)
            clip = stack_fields(frames, stack_indices(indices, pairs, len(frames)))
        else:
            (indices,) = views.shape.view_indices(len(frames), 1)
            clip = picked(frames, indices)
        yield Window(times[0], times[-1] + last, views.crops_of(clip))


Span = tuple[deque[float], deque[np.ndarray]]


def _spans(
    stream: Iterable[tuple[np.ndarray, float]], views: Views, span: int, step: float
) -> Iterator[Span]:
    """Yields times and frames of the windows; each must be used before the next is requested."""
    times: deque[float] = deque(maxlen=span)
    frames: deque[np.ndarray] = deque(maxlen=span)
    count, number, given = 0, 0, -1
    picture = resized = None
    for each, time in stream:
        # A frame that is shown at several times is resized once.
        if each is not picture or resized is None:
            picture, resized = each, views.resized(each[None])[0]
        times.append(time)
        frames.append(resized)
        count += 1
        if count == round(number * step) + span:
            yield times, frames
            number, given = number + 1, count
    # The next window would begin within the video and run past its end.
    if round(number * step) < count != given:
        yield times, frames
