"""What a map declares, and what it gives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vidjax.docstrings import settings_of
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import Kind, Setting

# Called with the numbers of passes that are done, and of all that a map takes.
Progress = Callable[[int, int], None]
# Passes that a gradient takes: the network forward, and twice as much back.
WITH_GRADIENT = 3


@dataclass(frozen=True)
class Heat:
    """What a map gives of one clip and one class.

    Attributes:
      cells: float `[T', H', W']`, large where the clip speaks for the class; one volume for each
        group of features that the map is drawn over (SlowFast pools two), each of its own size.
        They are enlarged to the clip, added and brought to [0, 1] by whoever draws them.
      passes: forward passes that it took: one for each clip that the network has seen. A gradient
        counts as two more.
      grid: T', H', W' of the cells that the map tells apart, where `cells` has been enlarged from
        them already; None where `cells` says it.
    """

    cells: tuple[np.ndarray, ...]
    passes: int
    grid: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Map:
    """A way to draw what in a clip speaks for a class.

    Attributes:
      name: an identifier, such as `grad_cam`.
      title: as the field writes it, such as `Grad-CAM`.
      function: `(network, variables, clip, class_index, layer, **settings) -> Heat`. One of many
        passes may take `progress` (`Progress`, or None) beside its settings.
      source: the paper, its year, and the equation.
      kinds: what the function's settings may be, by name; its docstring says what they mean.
      layered: whether the name of a layer has an effect; a map of the clip itself refuses one.
      needs: what a network must have to be drawn, as text; empty where every network has it.
      has: whether a network has that; None where every network has it.
      rank: place in tables and menus; of equal ones the module's name decides.
    """

    name: str
    title: str
    function: Callable[..., Heat]
    source: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    layered: bool = True
    needs: str = ""
    has: Callable[[TracedNetwork], bool] | None = None
    rank: int = 1000

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The settings as their user sees them."""
        return settings_of(self.kinds, self.function)

    @property
    def reports(self) -> bool:
        """Whether the function takes `progress`."""
        return "progress" in inspect.signature(self.function).parameters

    def fits(self, network: TracedNetwork) -> bool:
        """Whether a network has what the map needs."""
        return self.has is None or self.has(network)
