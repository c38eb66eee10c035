"""Predicting what happens in video files with a trained network."""

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
from vidjax.trained.video_clips import Ended, Event, Look, Looking

# Of each number of crops, which one is the centre.
_CENTRE = {1: 0, 3: 1, 10: 4}
# Clips computed at once where nobody says how many.
_BATCH = 8


@dataclass(frozen=True)
class WindowPrediction(Prediction):
    """What a network says of a window that slides over a video.

    Attributes:
      end: seconds, exclusive.
      picture: the middle of its frames, as the centre crop shows it, uint8 `[size, size, 3]`.
    """

    end: float
    picture: np.ndarray


@dataclass(frozen=True)
class Unreadable:
    """A video that cannot be read, and why."""

    error: str


def predict_videos(
    trained: Trained, videos: Manifest, *, batch_size: int = _BATCH, threads: int = 2
) -> Iterator[tuple[Entry, Prediction | Unreadable]]:
    """What happens in many videos, in their order; each is seen as `Trained.predict` sees it.

    Args:
      trained: the network.
      videos: files and pieces of files; their labels may be empty.
      batch_size: most clips computed at once, of one video or several.
      threads: videos that are decoded at a time.

    Raises:
      ValueError: the weights cannot be read.
    """
    looking = Looking(trained.preprocessing, trained.clips, trained.crops, threads=threads)
    size = min(batch_size, len(videos.entries) * trained.clips)
    scored = in_batches(trained.score, looking.all(videos), size)
    for number, group in itertools.groupby(scored, key=lambda each: each[0].video):
        *clips, (end, _) = group
        entry = videos.entries[number]
        assert isinstance(end, Ended)
        if end.error:
            yield entry, Unreadable(end.error)
            continue
        mean = np.mean([found for _, found in clips], axis=0)
        yield entry, Prediction(entry.start or 0.0, entry.end, mean)


def predict_windows(
    trained: Trained,
    video: Path,
    *,
    every: float | None = None,
    start: float | None = None,
    end: float | None = None,
    batch_size: int = _BATCH,
) -> Iterator[WindowPrediction]:
    """What happens when in a video of any length: windows slide over it, one clip each.

    Memory does not grow with the video.

    Args:
      trained: the network.
      video: a file.
      every: seconds from the start of a window to the start of the next; None lets each follow
        the one before. The last one is moved back, so that it ends with the video.
      start: seconds from the first frame, of a piece; None is 0.
      end: seconds, exclusive; None is the end.
      batch_size: windows computed at once.

    Raises:
      DecodeError: the video cannot be read; if it breaks midway, after what comes before that.
      ValueError: `every` is not above 0 or shorter than a frame, or the weights cannot be read.
    """
    file = video.absolute()
    manifest = Manifest(file.parent, (Entry(file.name, "", "", start, end),), ())
    looking = Looking(trained.preprocessing, 0, trained.crops, every)
    pictures: collections.deque[np.ndarray] = collections.deque()
    events = _picturing(looking.all(manifest), pictures)
    for event, found in in_batches(trained.score, events, batch_size):
        if isinstance(event, Look):
            window = event.window
            yield WindowPrediction(window.start, window.end, found, pictures.popleft())
        elif event.error:
            raise DecodeError(event.error)


def _picturing(events: Iterable[Event], pictures: collections.deque[np.ndarray]) -> Iterator[Event]:
    """The same events; the middle picture of each clip is kept."""
    for event in events:
        if isinstance(event, Look):
            centre = event.window.crops[_CENTRE[len(event.window.crops)]]
            pictures.append(centre[len(centre) // 2].copy())
        yield event
