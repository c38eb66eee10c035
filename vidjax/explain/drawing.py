"""What a map declares, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vidjax.meanings import settings_of
from vidjax.settings import Kind, Setting


@dataclass(frozen=True)
class Heat:
    """What a map gives of one clip and one class.

    Attributes:
      cells: float `[T', H', W']`, large where the clip speaks for the class; one volume for each
        group of features that the map is drawn over (SlowFast pools two), each of its own size.
        They are enlarged to the clip, added and brought to [0, 1] by whoever draws them.
      passes: forward passes that it took. A gradient counts as two more.
    """

    cells: tuple[np.ndarray, ...]
    passes: int


@dataclass(frozen=True)
class Map:
    """A way to draw what in a clip speaks for a class.

    Attributes:
      name: an identifier, such as `grad_cam`.
      title: as the field writes it, such as `Grad-CAM`.
      function: `(network, variables, clip, class_index, layer, **settings) -> Heat`.
      source: the paper, its year, and the equation.
      kinds: what the function's settings may be, by name; its docstring says what they mean.
      layered: whether the name of a layer has an effect; a map of the clip itself refuses one.
      needs: what a network must have to be drawn, as text; empty where every network has it.
      rank: place in tables and menus; of equal ones the module's name decides.
    """

    name: str
    title: str
    function: Callable[..., Heat]
    source: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    layered: bool = True
    needs: str = ""
    rank: int = 100

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The settings as their user sees them."""
        return settings_of(self.kinds, self.function)
