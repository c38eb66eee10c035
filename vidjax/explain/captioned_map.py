"""Heat with what has to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Drawn:
    """A map of a clip, as pictures show it.

    Attributes:
      title: of the map, and of the network where there are several.
      volume: `[T, H, W]` of the clip in [0, 1]; in [-1, 1] if `signed`.
      facts: what a caption says below the title, such as `kick 98.1 %`, `4x7x7 cells`.
      signed: whether it is a difference.
    """

    title: str
    volume: np.ndarray = field(repr=False)
    facts: tuple[str, ...] = ()
    signed: bool = False

    @property
    def caption(self) -> str:
        """The facts on one line."""
        return " · ".join(filter(None, self.facts))

    def minus(self, other: Drawn, label: str, other_label: str) -> Drawn:
        """The difference of the same map of two classes, given their names."""
        told = f"red: {label}, blue: {other_label}"
        return Drawn(f"{self.title}, difference", self.volume - other.volume, (told,), signed=True)


def resolution(cells: Sequence[np.ndarray]) -> str:
    """The sizes of what a map was enlarged from, such as `4x7x7 cells`."""
    return f"{' and '.join('x'.join(map(str, own.shape)) for own in cells)} cells"


def cost(passes: int, seconds: float) -> str:
    """What a map took, such as `3 passes, 0.41 s`."""
    told = f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.2g}"
    return f"{passes} pass{'es' * (passes != 1)}, {told} s"
