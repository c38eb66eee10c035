"""The interface of maps: what a map declares and what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vidjax.docstrings import settings_of
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import Kind, Setting

# Called with the number of finished passes and the total.
Progress = Callable[[int, int], None]
# The cost of a gradient in forward passes: one forward, and a backward pass that costs two.
WITH_GRADIENT = 3


@dataclass(frozen=True)
class Heat:
    """The result of a map for one clip and one class.

    Attributes:
      cells: float `[T', H', W']`, large where the clip is evidence for the class. There is one
        volume per group of features (SlowFast pools two groups), each of its own size. The caller
        upsamples the volumes to the clip, adds them and rescales the sum to [0, 1].
      passes: number of forward passes, one for each clip that the network has processed. A gradient
        counts as two more.
      grid: the map's resolution T', H', W', if `cells` was already upsampled from it; None if
        `cells` has the map's own resolution.
    """

    cells: tuple[np.ndarray, ...]
    passes: int
    grid: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Map:
    """A method that draws a map of the evidence for a class in a clip.

    Attributes:
      name: identifier, such as `grad_cam`.
      title: title as the literature writes it, such as `Grad-CAM`.
      function: `(network, variables, clip, class_index, layer, **settings) -> Heat`. A function
        that takes many passes may also accept `progress` (`Progress` or None).
      source: paper, year and equation.
      kinds: allowed values of the function's settings, by name. The function's docstring describes
        them.
      layered: whether the map can be drawn for a named layer. A map of the clip itself cannot.
      needs: what a network needs for this map, as text; empty if every network will do.
      has: returns whether a network has what the map needs; None if every network has it.
      rank: position in tables and menus. Equal ranks are sorted by module name.
      signed: whether negative values speak against the class; pictures draw them in blue.
    """

    name: str
    title: str
    function: Callable[..., Heat] = field(repr=False)
    source: str
    kinds: Mapping[str, Kind] = field(default_factory=dict, repr=False)
    layered: bool = True
    needs: str = ""
    has: Callable[[TracedNetwork], bool] | None = field(default=None, repr=False)
    rank: int = 1000
    signed: bool = False

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The settings with their descriptions and defaults."""
        return settings_of(self.kinds, self.function)

    @property
    def reports(self) -> bool:
        """Whether the function accepts `progress`."""
        return "progress" in inspect.signature(self.function).parameters

    def fits(self, network: TracedNetwork) -> bool:
        """Returns whether a network has what the map needs."""
        return self.has is None or self.has(network)
