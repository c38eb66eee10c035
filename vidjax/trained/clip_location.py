"""Locates a clip in its video: the frames it spans and the part of them the network sees."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidjax.data.decode import probe
from vidjax.data.transforms import short_side_size
from vidjax.data.video_stream import stream_video
from vidjax.explain.source_video import SourceVideo, Window
from vidjax.trained.preprocessing import Preprocessing, picked

# With more frames, or a longer short side, footage is too large to watch.
MOST_FRAMES = 1000
LARGEST_SIDE = 1080
# Frame rates are measured, so a frame still belongs to the clip if it is outside by this share of a
# frame.
_SLACK = 0.05


def locate(
    video: Path, preprocessing: Preprocessing, indices: np.ndarray, fps: float
) -> SourceVideo:
    """Returns the footage that a clip was cut from.

    It has all frames from the clip's first to its last, at the video's own rate. It has only the
    frames of the clip if these are not in temporal order (a short video that loops), or if there
    would be more than `MOST_FRAMES`. A short side above `LARGEST_SIDE` pixels is reduced to that.

    Args:
      video: a file.
      preprocessing: preprocessing of the network.
      indices: `[T]`, frames of the clip, counted at the rate `fps`; -1 is black.
      fps: frames per second.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    info = probe(video)
    size = short_side_size(info.height, info.width, LARGEST_SIDE, upscale=False)
    window = _window(preprocessing, (info.height, info.width), size)
    clip = (len(indices), preprocessing.size, preprocessing.size)
    if len(indices) > 1 and indices[0] >= 0 and (np.diff(indices) > 0).all():
        moments = indices / fps
        # Without a rate of its own, the network counts the video's frames.
        between = _between(video, moments, fps if preprocessing.fps is None else None)
        if between is not None:
            numbers, places, own_fps = between
            frames = functools.partial(_frames, video, numbers)
            start = numbers[0] / own_fps
            return SourceVideo(frames, own_fps, size, window, clip, places, start, str(video))
    frames = functools.partial(_chosen, video, preprocessing.fps, indices)
    places, start = tuple(map(float, range(len(indices)))), max(0.0, float(indices[0] / fps))
    rate = fps / preprocessing.stride
    return SourceVideo(frames, rate, size, window, clip, places, start, str(video))


def _between(
    video: Path, moments: np.ndarray, own_fps: float | None
) -> tuple[range, tuple[float, ...], float] | None:
    """Returns a video's own frames between the first and the last of some moments.

    Args:
      video: a file.
      moments: increasing times in seconds.
      own_fps: rate of the video, if it is known that the last moment lies within it.

    Returns:
      Frame numbers, their positions between the moments, and the frame rate. None if there is only
      one frame, or too many.
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
    """Returns the network's crop of a frame, in pixels of the frame as shown."""
    side = preprocessing.stored_side or preprocessing.short_side
    stored = short_side_size(*of, side, upscale=False)
    top, left, height, width = preprocessing.views().window(*stored)
    down, across = shown[0] / stored[0], shown[1] / stored[1]
    return top * down, left * across, height * down, width * across


def _frames(video: Path, numbers: range) -> Iterator[np.ndarray]:
    """Yields frames of a video at its own rate."""
    for _, frame in stream_video(video, short_side=LARGEST_SIDE).at(numbers):
        yield frame


def _chosen(video: Path, fps: float | None, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Yields frames at a given rate, in any order."""
    stream = stream_video(video, fps=fps, short_side=LARGEST_SIDE)
    found = dict(stream.at(set(indices[indices >= 0].tolist())))
    yield from picked(found, indices)
