"""Where in a video the clip lies that a network sees of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidjax.data.decode import probe
from vidjax.data.stream import stream_video
from vidjax.data.transforms import short_side_size
from vidjax.explain.footage import Footage, Window
from vidjax.trained.preprocessing import Preprocessing, picked

# More frames, or a longer short side, are no video to look at.
MOST_FRAMES = 1000
LARGEST_SIDE = 1080
# Sums of seconds are rounded; a frame this near to the clip's first or last one belongs to it.
_EXACT = 1e-6


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
        between = _between(video, indices / fps)
        if between is not None:
            numbers, places, own_fps = between
            frames = functools.partial(_frames, video, numbers)
            start = numbers[0] / own_fps
            return Footage(frames, own_fps, size, window, clip, places, start, str(video))
    frames = functools.partial(_chosen, video, preprocessing.fps, indices)
    places, start = tuple(map(float, range(len(indices)))), max(0.0, float(indices[0] / fps))
    rate = fps / preprocessing.stride
    return Footage(frames, rate, size, window, clip, places, start, str(video))


def _between(video: Path, moments: np.ndarray) -> tuple[range, tuple[float, ...], float] | None:
    """A video's own frames from the first of some moments to the last.

    Returns:
      Their numbers, where they lie between the moments, and how many are shown a second. None
      where there is one, or too many.
    """
    stream = stream_video(video, counted=True)
    assert stream.count is not None
    first = int(np.ceil((moments[0] - _EXACT) * stream.fps))
    last = min(int(np.floor((moments[-1] + _EXACT) * stream.fps)), stream.count - 1)
    if not first < last < first + MOST_FRAMES:
        return None
    numbers = range(first, last + 1)
    places = np.interp(np.array(numbers) / stream.fps, moments, np.arange(len(moments)))
    return numbers, tuple(places.tolist()), stream.fps


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
