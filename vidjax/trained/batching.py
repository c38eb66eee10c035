"""Runs clips through a network in batches of one size, so that it is compiled only once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from vidjax.trained.video_clips import Event, SampledClip

# A clip and its computed array; the array of an end-of-video event is empty.
Computed = tuple[Event, np.ndarray]
_NO_PIXELS, _NOTHING = np.zeros(0, np.uint8), np.zeros(0, np.float32)


def in_batches(
    compute: Callable[[np.ndarray], jax.Array], events: Iterable[Event], size: int
) -> Iterator[Computed]:
    """Yields events in order, each clip with its result: the mean over its crops.

    One batch is computed while the next is decoded.

    Args:
      compute: maps crops uint8 `[B, S, T, H, W, 3]` to an array `[B, S, ...]`.
      events: clips of videos, and the ends of videos.
      size: batch size B; the last batch is padded with black clips.
    """
    before: tuple[list[Event], Any] = ([], ())
    for batch in _batches(events, size):
        looks = [event for event in batch if isinstance(event, SampledClip)]
        found: Any = ()
        if looks:
            crops = np.stack([look.window.crops for look in looks])
            padding = [(0, size - len(crops))] + [(0, 0)] * (crops.ndim - 1)
            found = compute(np.pad(crops, padding))
        yield from _with_arrays(*before)
        before = [_light(event) for event in batch], found
    yield from _with_arrays(*before)


def _batches(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    """Groups events into lists with a fixed number of clips; the last list may have fewer."""
    batch: list[Event] = []
    clips = 0
    for event in events:
        batch.append(event)
        clips += isinstance(event, SampledClip)
        if clips == size:
            yield batch
            batch, clips = [], 0
    if batch:
        yield batch


def _light(event: Event) -> Event:
    """Returns the event without its pixels."""
    if isinstance(event, SampledClip):
        window = dataclasses.replace(event.window, crops=_NO_PIXELS)
        return dataclasses.replace(event, window=window)
    return event


def _with_arrays(batch: list[Event], found: Any) -> Iterator[Computed]:
    means = iter(np.asarray(found).mean(axis=1)) if len(found) else iter(())
    for event in batch:
        yield event, next(means) if isinstance(event, SampledClip) else _NOTHING
