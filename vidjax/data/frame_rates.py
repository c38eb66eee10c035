"""Frame rates of a data set: whether one stride means one time in all of its videos."""

from __future__ import annotations

from collections.abc import Sequence

# 24, 25 and 30 frames a second stand side by side in most data sets, and are left alone.
_WIDE = 1.5


def rates_note(rates: Sequence[float]) -> str:
    """What to know of videos whose rates differ widely; empty where they do not.

    Args:
      rates: frames a second of each video as stored.
    """
    rates = [rate for rate in rates if rate > 0]
    if not rates or max(rates) <= _WIDE * min(rates):
        return ""
    low, high = min(rates), max(rates)
    return (
        f"the videos have from {low:g} to {high:g} frames a second, so that clips of one stride "
        f"span up to {high / low:.3g} times as long in some as in others; data.fps={low:g} brings "
        "all to one rate"
    )
