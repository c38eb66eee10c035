"""What videos will be once they are prepared, as far as their headers tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.data.decode import DecodeError, probe
from vidjax.data.local_video import at_hand
from vidjax.data.manifest import Entry, Manifest
from vidjax.data.transforms import short_side_size


@dataclass(frozen=True)
class Outlook:
    """A prepared video to come.

    Attributes:
      frames: at most; headers are off by a few.
      height: in pixels.
      width: in pixels.
    """

    frames: int
    height: int
    width: int


def outlook(
    manifest: Manifest, split: str, *, short_side: int, fps: float | None, looks: int = 8
) -> list[Outlook]:
    """The outlook of some videos of a split, evenly spread; unreadable ones are left out.

    Args:
      manifest: the videos.
      split: which of them.
      short_side: shorter side of the stored frames in pixels; smaller videos stay as they are.
      fps: frame rate that all videos are brought to; None keeps each video's own.
      looks: how many headers to read.
    """
    entries = manifest.split(split)
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(looks, len(entries))).astype(int))
    found = (_of(manifest, entries[number], short_side, fps) for number in chosen)
    return [each for each in found if each is not None]


def _of(manifest: Manifest, entry: Entry, short_side: int, fps: float | None) -> Outlook | None:
    try:
        with at_hand(manifest.file(entry), entry) as file:
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
    return Outlook(max(1, frames), *size)
