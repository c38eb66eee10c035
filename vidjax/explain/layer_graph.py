"""What a network is made of, read off its program: layers, and which kernels feed which.

A layer is a convolution or matrix product with weights. The channels that it reads are followed
back to the kernels that made them: through everything in between, along all branches, and only as
deep as is asked for.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidjax.explain.channel_tracer import Trail
from vidjax.explain.dataflow import Flow, UnknownPrimitiveError
from vidjax.explain.feature_locations import Places
from vidjax.explain.layer import Features, Layer, Link, Source
from vidjax.program import Program, Value


class Anatomy:
    """The layers of a network, down to a level; made by `read_anatomy`.

    What is not asked for is not read: a primitive that is not known is an error for those alone who
    need the layers behind it.

    Attributes:
      program: of the network.
      logits: float `[1, classes]`.
      classifier: the layer that makes them.
    """

    def __init__(
        self, trail: Trail, logits: Value, climb: _Climb, limit: int | None, strict: bool
    ) -> None:
        self.program, self.logits, self.classifier = trail.program, logits, climb.classifier
        self._trail, self._climb, self._limit, self._strict = trail, climb, limit, strict

    def down_to(self, level: int) -> Anatomy:
        """The part of it that ends with this level."""
        return Anatomy(self._trail, self.logits, self._climb, level, self._strict)

    @functools.cached_property
    def as_far_as_known(self) -> Anatomy:
        """The part that lies before primitives that are not known."""
        return Anatomy(self._trail, self.logits, self._climb, self._limit, strict=False)

    @functools.cached_property
    def links(self) -> Mapping[Layer, tuple[Link, ...]]:
        """From each layer to those before it, the classifier first.

        Raises:
          UnknownPrimitiveError: a primitive on the way to one of them is not known.
        """
        self._read()
        return dict(self._climb.links)

    @functools.cached_property
    def levels(self) -> Mapping[Layer, int]:
        """How many layers lie between a layer and the logits at most: 0 of the classifier.

        A branch with fewer layers than another passes its channels on unchanged (the paper's
        tensors of ones), so that both come together at one level. Below the level that is asked
        for some layers are known, and that they are below.
        """
        self._read()
        return dict(self._climb.levels)

    @functools.cached_property
    def pooled(self) -> tuple[Features, ...]:
        """What the classifier gets sums or all of: the last features in space and time.

        Empty if it gets none, or if it is not known where they lie.
        """
        return self._climb.places.pooled(self.classifier)

    @functools.cached_property
    def sources(self) -> Mapping[Layer, Source]:
        """Where the kernels of a layer are seen: in what is pooled, or in what first reads them.

        Layers after pooling have none.
        """
        found = {
            link.layer: Source(own, link.pairs)
            for own in self.pooled
            for link in self._trail.links(own.value, own.axes)
        }
        # In the order of the climb, so that the reader that comes first in the program wins.
        for layer, links in self.links.items():
            for own in self._climb.places.read(layer):
                known = own.value is layer.data
                for link in links if known else self._trail.links(own.value, own.axes):
                    found[link.layer] = Source(own, link.pairs)
        return found

    @property
    def depth(self) -> int:
        """The deepest level."""
        return max(self.levels.values())

    def at(self, level: int) -> list[Layer]:
        """The layers of a level."""
        return [layer for layer, own in self.levels.items() if own == level]

    @property
    def unknown(self) -> UnknownPrimitiveError | None:
        """The first primitive that is not known, of those that were met so far."""
        return next(iter(self._climb.failed.values()), None)

    def _read(self) -> None:
        self._climb.down_to(self._limit)
        for layer, error in self._climb.failed.items():
            within = self._limit is None or self._climb.levels[layer] < self._limit
            if self._strict and within:
                raise error


def read_anatomy(
    program: Program,
    inputs: Sequence[Value],
    variables: Mapping[Value, str],
    fixed: Callable[[Value], Any],
    top: str = "",
) -> Anatomy:
    """Reads the layers off a program.

    Args:
      program: of a network, whose last axis of the only output are the classes.
      inputs: its clip, `[1, T, H, W, 3]`, and what else it is given that is no variable.
      variables: names of its variables.
      fixed: arrays of values that depend on nothing given; None for others.
      top: name of the module that is the whole network, left out of the layers' names.

    Raises:
      ValueError: logits come from no single layer.
      UnknownPrimitiveError: before the classifier there is a primitive that is not known.
    """
    trail = Trail(program, Flow.of(program, inputs, fixed), variables, top)
    (logits,) = program.outputs
    first = list(trail.links(logits, (len(logits.shape) - 1,)))
    if len(first) != 1:
        names = ", ".join(link.layer.name or "?" for link in first) or "none"
        raise ValueError(f"the logits must come from one layer, the classifier; they do: {names}")
    climb = _Climb(trail, first[0].layer)
    return Anatomy(trail, logits, climb, limit=None, strict=True)


class _Climb:
    """Links and levels of layers, read level by level: consumers before what they consume."""

    def __init__(self, trail: Trail, classifier: Layer) -> None:
        self._trail, self.places, self.classifier = trail, Places(trail), classifier
        self.links: dict[Layer, tuple[Link, ...]] = {}
        self.levels = {classifier: 0}
        self.failed: dict[Layer, UnknownPrimitiveError] = {}
        self._waiting = [(-trail.order[classifier.operation], 0, classifier)]

    def down_to(self, level: int | None) -> None:
        """Goes on until the level of each layer that has at most this one is certain.

        Layers that come later in the program are read first. When it is a layer's turn all that
        read it were read, and its own level cannot grow any more.
        """
        while self._waiting and (level is None or self._least() <= level):
            *_, layer = heapq.heappop(self._waiting)
            try:
                self.links[layer] = tuple(self._trail.links(layer.data, layer.data_axes))
            except UnknownPrimitiveError as error:
                self.failed[layer], self.links[layer] = error, ()
            for link in self.links[layer]:
                if link.layer not in self.levels:
                    order = self._trail.order[link.layer.operation]
                    heapq.heappush(self._waiting, (-order, len(self.levels), link.layer))
                    self.levels[link.layer] = 0
                self.levels[link.layer] = max(self.levels[link.layer], self.levels[layer] + 1)

    def _least(self) -> int:
        return min(self.levels[layer] for *_, layer in self._waiting)
