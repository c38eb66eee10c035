"""Predicts what happens in video files with a trained network."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.decode import DecodeError
from vidjax.data.manifest import Entry, Manifest
from vidjax.trained.batching import in_batches
from vidjax.trained.prediction import Prediction
from vidjax.trained.trained_network import Trained
from vidjax.trained.video_clips import ClipSampler, EndOfVideo, Event, SampledClip

# Index of the central crop, by number of crops.
_CENTRE = {1: 0, 3: 1, 10: 4}
# Default number of clips per batch.
_BATCH = 8


@dataclass(frozen=True)
class WindowPrediction(Prediction):
    """The prediction for one window of a video.

    Attributes:
      end: end of the window in seconds, exclusive.
      picture: its middle frame as the central crop shows it, uint8 `[size, size, 3]`.
    """

    end: float
    picture: np.ndarray


@dataclass(frozen=True)
class Unreadable:
    """A video that cannot be read, and the reason."""

    error: str


def predict_videos(
    trained: Trained, videos: Manifest, *, batch_size: int = _BATCH, threads: int = 2
) -> Iterator[tuple[Entry, Prediction | Unreadable]]:
    """Predicts many videos, in order, each in the same way as `Trained.predict`.

    Args:
      trained: the network.
      videos: files and pieces of files; labels may be empty.
      batch_size: largest number of clips per batch, of one or several videos.
      threads: videos decoded at the same time.

    Raises:
      ValueError: the weights cannot be read.
    """
    looking = ClipSampler(trained.preprocessing, trained.clips, trained.crops, threads=threads)
    size = min(batch_size, len(videos.entries) * trained.clips)
    scored = in_batches(trained.score, looking.all(videos), size)
    for number, group in itertools.groupby(scored, key=lambda each: each[0].video):
        *clips, (end, _) = group
        entry = videos.entries[number]
        assert isinstance(end, EndOfVideo)
        if end.error:
            yield entry, Unreadable(end.error)
            continue
        mean = np.mean([found for _, found in clips], axis=0)
        yield entry, Prediction(entry.start or 0.0, entry.end, mean)


def predict_windows(
    trained: Trained,
    video: Path,
    *,
    window_stride: float | None = None,
    start: float | None = None,
    end: float | None = None,
    batch_size: int = _BATCH,
) -> Iterator[WindowPrediction]:
    """Predicts what happens when in a video of any length, by windows of one clip each.

    Memory use does not grow with the length of the video.

    Args:
      trained: the network.
      video: a file.
      window_stride: seconds from the start of a window to the start of the next; None makes
        windows adjacent. The last window is moved back, so that it ends with the video.
      start: start of the piece in seconds from the first frame; None is 0.
      end: end of the piece in seconds, exclusive; None is the end of the video.
      batch_size: windows per batch.

    Raises:
      DecodeError: the video cannot be read. If it breaks off midway, the windows before that come
        first.
      ValueError: `window_stride` is not above 0 or is shorter than a frame, or the weights cannot
        be read.
    """
    file = video.absolute()
    manifest = Manifest(file.parent, (Entry(file.name, "", "", start, end),), ())
    looking = ClipSampler(trained.preprocessing, 0, trained.crops, window_stride)
    pictures: collections.deque[np.ndarray] = collections.deque()
    events = _picturing(looking.all(manifest), pictures)
    for event, found in in_batches(trained.score, events, batch_size):
        if isinstance(event, SampledClip):
            window = event.window
            yield WindowPrediction(window.start, window.end, found, pictures.popleft())
        elif event.error:
            raise DecodeError(event.error)


def _picturing(events: Iterable[Event], pictures: collections.deque[np.ndarray]) -> Iterator[Event]:
    """Passes events on, and keeps the middle frame of each clip."""
    for event in events:
        if isinstance(event, SampledClip):
            centre = event.window.crops[_CENTRE[len(event.window.crops)]]
            pictures.append(centre[len(centre) // 2].copy())
        yield event
