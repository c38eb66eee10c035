"""What a network is made of, read off its program: layers, and which kernels feed which.

A layer is a convolution or matrix product with weights. The channels that it reads are followed
back to the kernels that made them: through everything in between, along all branches.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.explain.channels import NONE, REDUCTIONS, Flow, Marks, pass_back, product_axes
from vidjax.explain.layer import Features, Layer, Link, Source, channels_first
from vidjax.program import Operation, Program, Value

MIXING = ("conv_general_dilated", "dot_general")
Pass = tuple[Operation, Value, Marks]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The layers of a network.

    Attributes:
      program: of the network.
      logits: float `[1, classes]`.
      classifier: the layer that makes them.
      links: from each layer to those before it, the classifier first.
      levels: how many layers lie between a layer and the logits at most: 0 of the classifier. A
        branch with fewer layers than another passes its channels on unchanged (the paper's tensors
        of ones), so that both come together at one level.
      pooled: what the classifier gets sums of; empty if it gets none.
      sources: where the kernels of a layer are seen; nothing for layers after the sums.
    """

    program: Program
    logits: Value
    classifier: Layer
    links: Mapping[Layer, tuple[Link, ...]]
    levels: Mapping[Layer, int]
    pooled: tuple[Features, ...]
    sources: Mapping[Layer, Source]

    @property
    def depth(self) -> int:
        """The deepest level."""
        return max(self.levels.values())

    def at(self, level: int) -> list[Layer]:
        """The layers of a level."""
        return [layer for layer, own in self.levels.items() if own == level]


def read_anatomy(
    program: Program,
    clip: Value,
    learnt: set[Value],
    fixed: Callable[[Value], Any],
    top: str = "",
) -> Anatomy:
    """Reads the layers off a program.

    Args:
      program: of a network, whose last axis of the only output are the classes.
      clip: its clip, `[1, T, H, W, 3]`.
      learnt: values that depend on its variables.
      fixed: arrays of values that depend on nothing given; None for others.
      top: name of the module that is the whole network, left out of the layers' names.

    Raises:
      ValueError: logits come from no single layer.
      UnknownPrimitiveError: on the way there is a primitive that is not known.
    """
    reader = _Reader(program, Flow.of(program, clip, fixed), learnt, top)
    (logits,) = program.outputs
    first = list(reader.links(logits, (len(logits.shape) - 1,)))
    if len(first) != 1:
        names = ", ".join(link.layer.name or "?" for link in first) or "none"
        raise ValueError(f"the logits must come from one layer, the classifier; they do: {names}")
    classifier = first[0].layer
    pooled = tuple(reader.pooled(classifier))
    links, levels = reader.climb(classifier)
    sources = reader.sources(pooled, links)
    return Anatomy(program, logits, classifier, links, levels, pooled, sources)


class _Reader:
    def __init__(self, program: Program, flow: Flow, learnt: set[Value], top: str) -> None:
        self._flow, self._learnt = flow, learnt
        self._names = _names(program, top)
        self._operations, self._makers = program.operations, program.makers
        self._order = {step: number for number, step in enumerate(program.operations)}
        self._layers: dict[Operation, Layer] = {}

    def climb(self, classifier: Layer) -> tuple[dict[Layer, tuple[Link, ...]], dict[Layer, int]]:
        """Links and levels of all layers: consumers come before what they consume."""
        links: dict[Layer, tuple[Link, ...]] = {}
        levels, waiting = {classifier: 0}, [(-self._order[classifier.operation], 0, classifier)]
        while waiting:
            *_, layer = heapq.heappop(waiting)
            links[layer] = tuple(self.links(layer.data, layer.data_axes))
            for link in links[layer]:
                if link.layer not in levels:
                    order = self._order[link.layer.operation]
                    heapq.heappush(waiting, (-order, len(levels), link.layer))
                    levels[link.layer] = 0
                levels[link.layer] = max(levels[link.layer], levels[layer] + 1)
        return links, levels

    def sources(
        self, pooled: Sequence[Features], links: Mapping[Layer, Sequence[Link]]
    ) -> dict[Layer, Source]:
        """Where layers are seen: in what is pooled, or in the first that reads them."""
        found = {
            link.layer: Source(own.value, own.axes, link.pairs)
            for own in pooled
            for link in self.links(own.value, own.axes)
        }
        # In the order of `climb`, so that the reader that comes first in the program wins.
        for layer, own_links in links.items():
            if len(layer.data.shape) > 3:
                for link in own_links:
                    found[link.layer] = Source(layer.data, layer.data_axes, link.pairs)
        return found

    def links(self, value: Value, axes: Sequence[int]) -> Iterator[Link]:
        """The layers that make the channels of a value."""
        found: dict[Layer, list[np.ndarray]] = {}
        for operation, _, marks in self._walk(value, axes, lambda *step: self._is_layer(*step)):
            layer = self._layer(operation, marks)
            found.setdefault(layer, []).append(_pairs(channels_first(marks, layer.made_axes)))
        for layer, pairs in found.items():
            yield Link(layer, np.unique(np.concatenate(pairs), axis=0))

    def pooled(self, layer: Layer) -> list[Features]:
        """The features that a layer gets sums of, itself or by way of other layers."""

        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            return self._sums(operation) or self._is_layer(operation, output, marks)

        found: dict[Value, tuple[int, Features]] = {}
        for operation, output, marks in self._walk(layer.data, layer.data_axes, ends):
            if not self._sums(operation):
                for deeper in self.pooled(self._layer(operation, marks)):
                    found.setdefault(deeper.value, (0, deeper))
                continue
            ((value, own),) = pass_back(operation, output, marks, self._flow)
            axes = tuple(axis for axis, size in enumerate(own.shape) if size > 1)
            place = int(own[own != NONE].min())
            found.setdefault(value, (place, Features(value, axes or (len(value.shape) - 1,))))
        # In the order in which the classifier has them.
        return [pooled for _, pooled in sorted(found.values(), key=lambda item: item[0])]

    def _sums(self, operation: Operation) -> bool:
        return operation.primitive in REDUCTIONS and operation.inputs[0] in self._flow.direct

    def _walk(
        self, value: Value, axes: Sequence[int], ends: Callable[[Operation, Value, Marks], bool]
    ) -> Iterator[Pass]:
        """Follows channels back; yields operations where it ends, with marks on their output."""
        shape = [size if axis in axes else 1 for axis, size in enumerate(value.shape)]
        marked = {value: [np.arange(math.prod(shape)).reshape(shape)]}
        last = self._order[self._makers[value]] if value in self._makers else -1
        for operation in reversed(self._operations[: last + 1]):
            for output in operation.outputs:
                for marks in marked.pop(output, ()):
                    if ends(operation, output, marks):
                        yield operation, output, marks
                        continue
                    for source, own in pass_back(operation, output, marks, self._flow):
                        if source in self._makers:
                            _merge(marked.setdefault(source, []), own)
            if not marked:
                return

    def _is_layer(self, operation: Operation, output: Value, marks: Marks) -> bool:
        if operation.primitive == "conv_general_dilated":
            kernel = operation.inputs[1]
            channels = operation.inputs[0].shape[operation.params["dimension_numbers"].lhs_spec[1]]
            # A filter of constants that takes each channel by itself mixes nothing.
            by_itself = operation.params["feature_group_count"] == channels == _outputs(operation)
            return kernel not in self._flow.moving and (kernel in self._learnt or not by_itself)
        if operation.primitive != "dot_general":
            return False
        moving = [value in self._flow.moving for value in operation.inputs]
        if all(moving):
            return False
        own = product_axes(operation)[moving.index(True)]
        if marks.size == 1:
            return operation.inputs[moving.index(False)] in self._learnt and len(own) < marks.ndim
        return not all(size == 1 or axis in own for axis, size in enumerate(marks.shape))

    def _layer(self, operation: Operation, marks: Marks) -> Layer:
        if operation not in self._layers:
            convolves = operation.primitive == "conv_general_dilated"
            make = _convolution if convolves else self._matrix
            self._layers[operation] = make(operation, self._names[operation])
        return self._layers[operation]

    def _matrix(self, operation: Operation, name: str) -> Layer:
        moving = [value in self._flow.moving for value in operation.inputs].index(True)
        sums, _ = operation.params["dimension_numbers"]
        own = product_axes(operation)[1 - moving]
        made = [
            place for place, axis in own.items() if place not in product_axes(operation)[moving]
        ]
        return Layer(
            name,
            operation,
            operation.inputs[moving],
            operation.inputs[1 - moving],
            tuple(sums[moving]),
            (tuple(own[place] for place in made), tuple(sums[1 - moving])),
            tuple(made),
        )


def _convolution(operation: Operation, name: str) -> Layer:
    numbers = operation.params["dimension_numbers"]
    return Layer(
        name,
        operation,
        operation.inputs[0],
        operation.inputs[1],
        (numbers.lhs_spec[1],),
        ((numbers.rhs_spec[0],), (numbers.rhs_spec[1],)),
        (numbers.out_spec[1],),
        operation.params["feature_group_count"],
    )


def _outputs(operation: Operation) -> int:
    return operation.outputs[0].shape[operation.params["dimension_numbers"].out_spec[1]]


def _names(program: Program, top: str) -> dict[Operation, str]:
    """Names for all that may be a layer, numbered where a module has several."""
    mixing = [step for step in program.operations if step.primitive in MIXING]
    plain = {step: step.layer.removeprefix(top).strip("/") or step.primitive for step in mixing}
    counts, seen = Counter(plain.values()), Counter[str]()
    names = {}
    for step, name in plain.items():
        seen[name] += 1
        names[step] = f"{name}:{seen[name]}" if counts[name] > 1 else name
    return names


def _pairs(laid: Marks) -> np.ndarray:
    """Pairs of mark and kernel, from marks `[kernels, ...]`."""
    flat = laid.reshape(len(laid), -1)
    kernels, places = np.nonzero(flat != NONE)
    return np.stack([flat[kernels, places], kernels], axis=1)


def _merge(known: list[Marks], marks: Marks) -> None:
    """Adds marks to those there are, in the same array where none contradicts."""
    for index, other in enumerate(known):
        if other.shape == marks.shape:
            agree = (other == marks) | (other == NONE) | (marks == NONE)
            if agree.all():
                known[index] = np.maximum(other, marks)
                return
    known.append(marks)
