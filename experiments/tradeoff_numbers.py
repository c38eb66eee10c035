"""Places the numbers of a scatter plot's points so that none lies on another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# Font size, and how near the middles of two numbers may be, in points.
SIZE, _NEAREST = 9, 12.0
# Distances in points at which a number that does not fit into its own point is tried.
_DISTANCES, _DIRECTIONS = (13.0, 19.0, 25.0, 31.0), 16


def write_numbers(
    axes: Any, places: Sequence[tuple[float, float]], colours: Sequence[str], outside: str
) -> None:
    """Writes 1, 2, ... into the points, or beside them with a line where points are too close.

    Args:
      axes: axes of Matplotlib, whose limits and position are final.
      places: the points, in the units of the axes.
      colours: colour of each number inside of its point.
      outside: colour of numbers beside their points.
    """
    inch = axes.figure.dpi / 72
    middles = axes.transData.transform(np.asarray(places, float)) / inch
    offsets = offsets_of([(float(x), float(y)) for x, y in middles])
    for number, (place, offset) in enumerate(zip(places, offsets, strict=True), 1):
        inside = offset == (0, 0)
        line = None if inside else {"arrowstyle": "-", "color": outside, "lw": 0.6, "shrinkA": 0}
        axes.annotate(
            str(number),
            place,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            size=SIZE,
            color=colours[number - 1] if inside else outside,
            arrowprops=line,
            zorder=3,
        )


def offsets_of(middles: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns how far each number is moved away from its point, in the units of the points.

    A number stays in its point if no other point is near. Otherwise it takes the nearest place that
    is free of points and of other numbers, or the last one that was tried.
    """
    taken: list[tuple[float, float]] = []
    found = []
    for own, middle in enumerate(middles):
        others = [each for place, each in enumerate(middles) if place != own]
        for offset in _tried():
            at = (middle[0] + offset[0], middle[1] + offset[1])
            if all(math.dist(at, each) >= _NEAREST for each in [*others, *taken]):
                break
        taken.append(at)
        found.append(offset)
    return found


def _tried() -> Iterator[tuple[float, float]]:
    yield 0.0, 0.0
    for distance in _DISTANCES:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * step / _DIRECTIONS
            yield distance * math.cos(angle), distance * math.sin(angle)
