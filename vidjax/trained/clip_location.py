"""Where in a video the clip lies that a network sees of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidjax.data.decode import probe
from vidjax.data.transforms import short_side_size
from vidjax.data.video_stream import stream_video
from vidjax.explain.source_video import Footage, Window
from vidjax.trained.preprocessing import Preprocessing, picked

# More frames, or a longer short side, are no video to look at.
MOST_FRAMES = 1000
LARGEST_SIDE = 1080
# Rates are measured; a frame belongs to the clip that is outside of it by this share of a frame.
_SLACK = 0.05


def locate(video: Path, preprocessing: Preprocessing, indices: np.ndarray, fps: float) -> Footage:
    """The frames that a clip was cut from, as they are shown.

    All frames from the clip's first to its last are there, at the video's own rate. It is just the
    frames of the clip where these are not in the order of time (a short video that begins again),
    or where there are more than `MOST_FRAMES` between them. A short side of more than
    `LARGEST_SIDE` pixels is reduced to that.

    Args:
      video: a file.
      preprocessing: of the network.
      indices: `[T]`, frames of the clip, counted at the rate `fps`; -1 is black.
      fps: frames a second.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    info = probe(video)
    size = short_side_size(info.height, info.width, LARGEST_SIDE, upscale=False)
    window = _window(preprocessing, (info.height, info.width), size)
    clip = (len(indices), preprocessing.size, preprocessing.size)
    if len(indices) > 1 and indices[0] >= 0 and (np.diff(indices) > 0).all():
        moments = indices / fps
        # Without a rate of the network's, the clip is counted in the video's own frames.
        between = _between(video, moments, fps if preprocessing.fps is None else None)
        if between is not None:
            numbers, places, own_fps = between
            frames = functools.partial(_frames, video, numbers)
            start = numbers[0] / own_fps
            return Footage(frames, own_fps, size, window, clip, places, start, str(video))
    frames = functools.partial(_chosen, video, preprocessing.fps, indices)
    places, start = tuple(map(float, range(len(indices)))), max(0.0, float(indices[0] / fps))
    rate = fps / preprocessing.stride
    return Footage(frames, rate, size, window, clip, places, start, str(video))


def _between(
    video: Path, moments: np.ndarray, own_fps: float | None
) -> tuple[range, tuple[float, ...], float] | None:
    """A video's own frames from the first of some moments to the last.

    Args:
      video: a file.
      moments: in seconds, rising.
      own_fps: of the video, where it is known that the last moment lies within it.

    Returns:
      Their numbers, where they lie between the moments, and how many are shown a second. None
      where there is one, or too many.
    """
    count = None
    if own_fps is None:
        stream = stream_video(video, counted=True)
        own_fps, count = stream.fps, stream.count
    first = int(np.ceil(moments[0] * own_fps - _SLACK))
    last = int(np.floor(moments[-1] * own_fps + _SLACK))
    last = last if count is None else min(last, count - 1)
    if not first < last < first + MOST_FRAMES:
        return None
    numbers = range(first, last + 1)
    places = np.interp(np.array(numbers) / own_fps, moments, np.arange(len(moments)))
    return numbers, tuple(places.tolist()), own_fps


def _window(preprocessing: Preprocessing, of: tuple[int, int], shown: tuple[int, int]) -> Window:
    """What the network sees of frames of a size, in pixels of the shown ones."""
    side = preprocessing.stored_side or preprocessing.short_side
    stored = short_side_size(*of, side, upscale=False)
    top, left, height, width = preprocessing.views().window(*stored)
    down, across = shown[0] / stored[0], shown[1] / stored[1]
    return top * down, left * across, height * down, width * across


def _frames(video: Path, numbers: range) -> Iterator[np.ndarray]:
    """Frames of a video at its own rate."""
    for _, frame in stream_video(video, short_side=LARGEST_SIDE).at(numbers):
        yield frame


def _chosen(video: Path, fps: float | None, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Frames at a rate, in any order."""
    stream = stream_video(video, fps=fps, short_side=LARGEST_SIDE)
    found = dict(stream.at(set(indices[indices >= 0].tolist())))
    yield from picked(found, indices)
