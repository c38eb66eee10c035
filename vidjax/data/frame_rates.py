"""Checks whether the frame rates of a data set differ so much that a stride is ambiguous."""

from __future__ import annotations

from collections.abc import Sequence

# Most data sets mix 24, 25 and 30 frames per second, which needs no note.
_WIDE = 1.5


def rates_note(rates: Sequence[float]) -> str:
    """Returns a note for the user if frame rates differ widely; empty if they do not.

    Args:
      rates: stored frame rate of each video.
    """
    rates = [rate for rate in rates if rate > 0]
    if not rates or max(rates) <= _WIDE * min(rates):
        return ""
    low, high = min(rates), max(rates)
    return (
        f"frame rates range from {low:g} to {high:g} fps, so that clips with the same stride span "
        f"up to {high / low:.3g} times as much time in some videos as in others; data.fps={low:g} "
        "resamples all videos to one rate"
    )
