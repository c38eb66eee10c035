"""Means over seeds in a picture: a mark with its interval, and a dot for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .statistics import Interval


def draw(
    axes: Any,
    place: float,
    over: Interval,
    values: Sequence[float],
    *,
    upright: bool,
    color: str,
    dots: str = "0.4",
    scale: float = 100,
) -> None:
    """Draws a mean, in percent if not said otherwise.

    Args:
      axes: Matplotlib's.
      place: on the axis beside that of the values.
      over: mean and interval.
      values: one a seed.
      upright: whether values grow upwards, instead of to the right.
      color: of the mark.
      dots: their colour.
      scale: what all are multiplied by; of fractions, 100.
    """
    # A single seed has no interval, an unfinished row no point: Matplotlib leaves out NaN.
    half = scale * np.nan_to_num(over.half)
    mean, single = scale * over.mean, [scale * value for value in values]
    places = [place] * len(single)
    if upright:
        axes.errorbar(place, mean, yerr=half, fmt="D", capsize=3, color=color)
        axes.plot(places, single, ".", color=dots)
    else:
        axes.errorbar(mean, place, xerr=half, fmt="D", capsize=3, color=color)
        axes.plot(single, places, ".", color=dots)
