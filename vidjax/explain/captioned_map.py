"""A map with its title and caption."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

# Maps in [0, 1] that differ by less than this differ by rounding only.
_EQUAL = 1e-4


@dataclass(frozen=True)
class CaptionedMap:
    """A map of a clip, as pictures show it.

    Attributes:
      title: name of the map, and of the network if there are several.
      volume: the map at the clip's size, `[T, H, W]` in [0, 1], or in [-1, 1] if `signed`.
      facts: facts for the caption, such as `kick 98.1 %` and `4x7x7 cells`.
      signed: whether the map has positive and negative values, as a difference of two maps.
      meaning: what the colours mean, for the legend.
    """

    title: str
    volume: np.ndarray = field(repr=False)
    facts: tuple[str, ...] = ()
    signed: bool = False
    meaning: str = "low to high; each map has its own scale"

    @property
    def caption(self) -> str:
        """The facts on one line."""
        return " · ".join(filter(None, self.facts))

    def minus(self, other: CaptionedMap, label: str, other_label: str) -> CaptionedMap:
        """Returns this map minus the same map of another class, given the names of both classes.

        The difference is scaled to its largest absolute value, which the caption gives.
        """
        difference = self.volume - other.volume
        largest = float(np.abs(difference).max())
        told = f"largest difference {largest:.2g}"
        if largest < _EQUAL:
            difference, told = np.zeros_like(difference), "both classes have the same map"
        else:
            difference = difference / largest
        colours = f"red speaks for {label}, blue for {other_label}"
        facts = (colours, told)
        return CaptionedMap(f"{self.title}, difference", difference, facts, True, colours)


def resolution(cells: Iterable[np.ndarray]) -> str:
    """Describes the sizes of volumes, such as `4x7x7 cells`."""
    return in_cells(own.shape for own in cells)


def in_cells(shapes: Iterable[tuple[int, ...]]) -> str:
    """Describes shapes, such as `4x7x7 cells`; equal shapes are named once."""
    named = dict.fromkeys("x".join(map(str, own)) for own in shapes)
    return f"{' and '.join(named)} cells"


def cost(passes: int, seconds: float) -> str:
    """Describes the cost of a map, such as `3 passes, 0.41 s`."""
    told = f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.2g}"
    return f"{passes} pass{'es' * (passes != 1)}, {told} s"
