"""Draws means over seeds: a mark with its interval, and a dot for each seed."""

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
    aside: float = 0,
    scale: float = 100,
) -> None:
    """Draws a mean with its interval and the values of the seeds.

    Args:
      axes: Matplotlib axes.
      place: position on the other axis.
      over: mean and interval.
      values: one value per seed.
      upright: whether values are on the vertical axis.
      color: colour of the mark.
      dots: colour of the dots.
      aside: how far the dots are beside the mark, on the other axis.
      scale: factor for all values; 100 turns fractions into percent.
    """
    # One seed has no interval and an unfinished row no mean; Matplotlib leaves out NaN.
    half = scale * np.nan_to_num(over.half)
    mean, single = scale * over.mean, [scale * value for value in values]
    places = [place + aside] * len(single)
    if upright:
        axes.errorbar(place, mean, yerr=half, fmt="D", capsize=3, color=color)
        axes.plot(places, single, ".", color=dots)
    else:
        axes.errorbar(mean, place, xerr=half, fmt="D", capsize=3, color=color)
        axes.plot(single, places, ".", color=dots)
