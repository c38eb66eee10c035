"""A quantity at several sizes, and the exponent that it grows with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# An exponent this much above linear is told of: less is noise of a shared machine.
_SLACK = 0.1


@dataclass(frozen=True)
class Line:
    """A quantity along an axis.

    Attributes:
      axis: what grows.
      quantity: what is measured, with its unit.
      points: sizes along the axis, and the quantity there.
      asked: what a perfect program would take, up to a factor, at the same sizes; None is linear.
    """

    axis: str
    quantity: str
    points: Mapping[int, float]
    asked: Mapping[int, float] | None = None

    @property
    def exponent(self) -> float:
        """Of all points."""
        return slope(self.points)

    @property
    def last(self) -> float:
        """Between the two largest points."""
        return slope(dict(sorted(self.points.items())[-2:]))

    @property
    def asked_exponent(self) -> float:
        """Of what is asked for; at least linear."""
        return max(1.0, slope(dict(sorted(self.asked.items())[-2:]))) if self.asked else 1.0

    def cells(self) -> tuple[str, ...]:
        """The row under `COLUMNS`."""
        sizes = sorted(self.points)
        above = self.last > self.asked_exponent + _SLACK
        return (
            f"{self.axis}, {sizes[0]} to {sizes[-1]}",
            self.quantity,
            f"{self.points[sizes[0]]:.3g}",
            f"{self.points[sizes[-1]]:.3g}",
            f"{self.exponent:.2f}",
            f"{self.last:.2f}",
            f"{self.asked_exponent:.2f}",
            "above" if above else "",
        )


def slope(points: Mapping[int, float]) -> float:
    """The exponent e of the law `a * size ** e` that fits positive points best, in logarithms."""
    sizes = np.log(np.array(sorted(points), float))
    values = np.log([max(points[size], 1e-9) for size in sorted(points)])
    return float(np.polyfit(sizes, values, 1)[0])
