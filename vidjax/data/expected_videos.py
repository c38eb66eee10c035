"""Estimates frames and size of prepared videos from the headers of the files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.data.decode import DecodeError, probe
from vidjax.data.local_video import local_video
from vidjax.data.manifest import Entry, Manifest
from vidjax.data.transforms import short_side_size


@dataclass(frozen=True)
class ExpectedVideo:
    """The expected frames and size of a video that is not prepared yet.

    Attributes:
      frames: upper bound of the number of frames, since headers are off by a few.
      height: height in pixels.
      width: width in pixels.
    """

    frames: int
    height: int
    width: int


def expected_videos(
    manifest: Manifest, split: str, *, short_side: int, fps: float | None, samples: int = 8
) -> list[ExpectedVideo]:
    """Probes some evenly spaced videos of a split; unreadable ones are skipped.

    Args:
      manifest: the videos.
      split: name of the split.
      short_side: shorter side of the stored frames in pixels; smaller videos keep their size.
      fps: frame rate that all videos are resampled to; None keeps each video's own rate.
      samples: number of headers to read.
    """
    entries = manifest.split(split)
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(samples, len(entries))).astype(int))
    found = (_of(manifest, entries[number], short_side, fps) for number in chosen)
    return [each for each in found if each is not None]


def _of(
    manifest: Manifest, entry: Entry, short_side: int, fps: float | None
) -> ExpectedVideo | None:
    try:
        with local_video(manifest.file(entry), entry) as file:
            info = probe(file)
    except DecodeError:
        return None
    seconds = max(info.duration, info.frames / info.fps if info.fps else 0.0)
    if not seconds or not info.fps:
        return None
    if entry.end is not None or entry.start is not None:
        seconds = min(entry.end or seconds, seconds) - (entry.start or 0.0)
    frames = round(1.05 * seconds * (fps or info.fps)) + 2
    size = short_side_size(info.height, info.width, short_side, upscale=False)
    return ExpectedVideo(max(1, frames), *size)
