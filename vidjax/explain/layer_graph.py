"""Reads a network's layers, and which kernels feed which, from its program.

A layer is a convolution or a matrix product with weights. The channels that a layer reads are
traced back to the kernels that made them, through all operations in between and along all branches.
The program is read only as deep as needed.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidjax.explain.channel_tracer import ChannelTracer
from vidjax.explain.dataflow import Dataflow, UnknownPrimitiveError
from vidjax.explain.feature_locations import FeatureLocations
from vidjax.explain.layer import Features, Layer, Link, Source
from vidjax.program import Program, Value


class LayerGraph:
    """The layers of a network, down to a level. Created by `read_layer_graph`.

    Layers are read when they are needed. An unknown primitive therefore raises an error only if the
    layers behind it are needed.

    Attributes:
      program: the network's program.
      logits: the logits, float `[1, classes]`.
      classifier: the layer that makes the logits.
    """

    def __init__(
        self, tracer: ChannelTracer, logits: Value, climb: _Climb, limit: int | None, strict: bool
    ) -> None:
        self.program, self.logits, self.classifier = tracer.program, logits, climb.classifier
        self._tracer, self._climb, self._limit, self._strict = tracer, climb, limit, strict

    def down_to(self, level: int) -> LayerGraph:
        """Returns the part of the network that ends with this level."""
        return LayerGraph(self._tracer, self.logits, self._climb, level, self._strict)

    @functools.cached_property
    def as_far_as_known(self) -> LayerGraph:
        """The part of the network that is reached before tracing stops at an unknown primitive."""
        return LayerGraph(self._tracer, self.logits, self._climb, self._limit, strict=False)

    @functools.cached_property
    def links(self) -> Mapping[Layer, tuple[Link, ...]]:
        """The layers that feed each layer, starting with the classifier.

        Raises:
          UnknownPrimitiveError: a primitive on the way to a layer cannot be traced.
        """
        self._read()
        return dict(self._climb.links)

    @functools.cached_property
    def levels(self) -> Mapping[Layer, int]:
        """The largest number of layers between each layer and the logits; 0 for the classifier.

        If one branch has fewer layers than another, it passes its channels on unchanged (the
        paper's tensors of ones), so that both branches meet at one level. The mapping may contain
        layers below the requested level; their exact level is not known.
        """
        self._read()
        return dict(self._climb.levels)

    @functools.cached_property
    def pooled(self) -> tuple[Features, ...]:
        """The last features in space and time, which are pooled or flattened for the classifier.

        Empty if there are none, or if their location in space and time is not known.
        """
        return self._climb.places.pooled(self.classifier)

    @functools.cached_property
    def sources(self) -> Mapping[Layer, Source]:
        """Where the kernels of a layer are seen: in pooled features or in a later layer's input.

        Layers after pooling have none.
        """
        found = {
            link.layer: Source(own, link.pairs)
            for own in self.pooled
            for link in self._tracer.links(own.value, own.axes)
        }
        # In the order of reading, so that the reader that comes first in the program wins.
        for layer, links in self.links.items():
            for own in self._climb.places.read(layer):
                known = own.value is layer.data
                for link in links if known else self._tracer.links(own.value, own.axes):
                    found[link.layer] = Source(own, link.pairs)
        return found

    @property
    def depth(self) -> int:
        """The deepest level."""
        return max(self.levels.values())

    def at(self, level: int) -> list[Layer]:
        """Returns the layers of a level."""
        return [layer for layer, own in self.levels.items() if own == level]

    @property
    def unknown(self) -> UnknownPrimitiveError | None:
        """The first primitive that could not be traced so far; None if there was none."""
        return next(iter(self._climb.failed.values()), None)

    def _read(self) -> None:
        self._climb.down_to(self._limit)
        for layer, error in self._climb.failed.items():
            within = self._limit is None or self._climb.levels[layer] < self._limit
            if self._strict and within:
                raise error


def read_layer_graph(
    program: Program,
    inputs: Sequence[Value],
    variables: Mapping[Value, str],
    fixed: Callable[[Value], Any],
    top: str = "",
) -> LayerGraph:
    """Reads the layers of a network from its program.

    Args:
      program: a program with one output, whose last axis holds the classes.
      inputs: the clip, `[1, T, H, W, 3]`, and any other inputs that are not variables.
      variables: names of the variables.
      fixed: returns the array of a value that depends on no input; None for other values.
      top: name of the outermost module; it is left out of the names of layers.

    Raises:
      ValueError: the logits do not come from exactly one layer.
      UnknownPrimitiveError: a primitive after the classifier cannot be traced.
    """
    tracer = ChannelTracer(program, Dataflow.of(program, inputs, fixed), variables, top)
    (logits,) = program.outputs
    first = list(tracer.links(logits, (len(logits.shape) - 1,)))
    if len(first) != 1:
        names = ", ".join(link.layer.name or "?" for link in first) or "none"
        raise ValueError(
            f"the logits must come from exactly one layer, the classifier; they come from: {names}"
        )
    climb = _Climb(tracer, first[0].layer)
    return LayerGraph(tracer, logits, climb, limit=None, strict=True)


class _Climb:
    """Reads links and levels of layers level by level, consumers before their inputs."""

    def __init__(self, tracer: ChannelTracer, classifier: Layer) -> None:
        self._tracer, self.places, self.classifier = tracer, FeatureLocations(tracer), classifier
        self.links: dict[Layer, tuple[Link, ...]] = {}
        self.levels = {classifier: 0}
        self.failed: dict[Layer, UnknownPrimitiveError] = {}
        self._waiting = [(-tracer.order[classifier.operation], 0, classifier)]

    def down_to(self, level: int | None) -> None:
        """Continues until the level of every layer up to this level is final.

        Layers that come later in the program are read first. When a layer is read, all layers that
        read it have been read before, so its level cannot grow any more.
        """
        while self._waiting and (level is None or self._least() <= level):
            *_, layer = heapq.heappop(self._waiting)
            try:
                self.links[layer] = tuple(self._tracer.links(layer.data, layer.data_axes))
            except UnknownPrimitiveError as error:
                self.failed[layer], self.links[layer] = error, ()
            for link in self.links[layer]:
                if link.layer not in self.levels:
                    order = self._tracer.order[link.layer.operation]
                    heapq.heappush(self._waiting, (-order, len(self.levels), link.layer))
                    self.levels[link.layer] = 0
                self.levels[link.layer] = max(self.levels[link.layer], self.levels[layer] + 1)

    def _least(self) -> int:
        return min(self.levels[layer] for *_, layer in self._waiting)
