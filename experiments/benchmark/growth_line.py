"""A quantity at several sizes, and the exponent of its growth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# An exponent this much above the ideal is marked; smaller excesses are noise.
_SLACK = 0.1


@dataclass(frozen=True)
class Line:
    """A quantity along an axis.

    Attributes:
      axis: the axis along which the size grows.
      quantity: name of the quantity, with its unit.
      points: value of the quantity, by size.
      ideal: growth of an ideal program at the same sizes, up to a constant factor; None is linear.
    """

    axis: str
    quantity: str
    points: Mapping[int, float]
    ideal: Mapping[int, float] | None = None

    @property
    def exponent(self) -> float:
        """Exponent of the growth over all points."""
        return slope(self.points)

    @property
    def last(self) -> float:
        """Exponent of the growth between the two largest points."""
        return slope(dict(sorted(self.points.items())[-2:]))

    @property
    def ideal_exponent(self) -> float:
        """Exponent of the ideal growth between the two largest points; at least 1."""
        return max(1.0, slope(dict(sorted(self.ideal.items())[-2:]))) if self.ideal else 1.0

    def cells(self) -> tuple[str, ...]:
        """Formats a row of the table."""
        sizes = sorted(self.points)
        above = self.last > self.ideal_exponent + _SLACK
        return (
            f"{self.axis}, {sizes[0]} to {sizes[-1]}",
            self.quantity,
            f"{self.points[sizes[0]]:.3g}",
            f"{self.points[sizes[-1]]:.3g}",
            f"{self.exponent:.2f}",
            f"{self.last:.2f}",
            f"{self.ideal_exponent:.2f}",
            "above" if above else "",
        )


def slope(points: Mapping[int, float]) -> float:
    """Fits the exponent e of `a * size ** e` to positive points, by least squares of logarithms."""
    sizes = np.log(np.array(sorted(points), float))
    values = np.log([max(points[size], 1e-9) for size in sorted(points)])
    return float(np.polyfit(sizes, values, 1)[0])
