"""Traces channels back through a program to the layers that made them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from vidjax.explain.channel_propagation import pass_back, product_axes
from vidjax.explain.dataflow import NONE, Dataflow, Marks
from vidjax.explain.layer import Layer, Link, channels_first
from vidjax.program import Operation, Program, Value

MIXING = ("conv_general_dilated", "dot_general")
Pass = tuple[Operation, Value, Marks]


class ChannelTracer:
    """Traces channels back through one program.

    Args:
      program: program of a network.
      flow: data flow of the program.
      names: names of its variables, by their values.
      top: name of the outermost module; it is left out of the names of layers.
    """

    def __init__(
        self, program: Program, flow: Dataflow, names: Mapping[Value, str], top: str = ""
    ) -> None:
        self.program, self.flow = program, flow
        self._learnt = program.depending_on(names)
        self._names = _names_of_layers(program, names, top)
        self.order = {step: number for number, step in enumerate(program.operations)}
        self._layers: dict[Operation, Layer] = {}

    def links(self, value: Value, axes: Sequence[int]) -> Iterator[Link]:
        """Yields the layers that make the channels of a value.

        Raises:
          UnknownPrimitiveError: a primitive on the way cannot be traced.
        """
        found: dict[Layer, list[np.ndarray]] = {}
        for operation, _, marks in self.walk(value, axes, self.is_layer):
            layer = self.layer(operation)
            found.setdefault(layer, []).append(_pairs(channels_first(marks, layer.made_axes)))
        for layer, pairs in found.items():
            yield Link(layer, np.unique(np.concatenate(pairs), axis=0))

    def walk(
        self, value: Value, axes: Sequence[int], ends: Callable[[Operation, Value, Marks], bool]
    ) -> Iterator[Pass]:
        """Traces channels back; yields the operations where `ends` is true, with marked outputs."""
        operations, makers = self.program.operations, self.program.makers
        shape = [size if axis in axes else 1 for axis, size in enumerate(value.shape)]
        marked = {value: [np.arange(math.prod(shape)).reshape(shape)]}
        last = self.order[makers[value]] if value in makers else -1
        for operation in reversed(operations[: last + 1]):
            for output in operation.outputs:
                for marks in marked.pop(output, ()):
                    if ends(operation, output, marks):
                        yield operation, output, marks
                        continue
                    for source, own in pass_back(operation, output, marks, self.flow):
                        if source in makers:
                            _merge(marked.setdefault(source, []), own)
            if not marked:
                return

    def is_layer(self, operation: Operation, output: Value, marks: Marks) -> bool:
        """Returns whether an operation mixes the marked channels by weights."""
        del output
        if operation.primitive == "conv_general_dilated":
            kernel = operation.inputs[1]
            channels = operation.inputs[0].shape[operation.params["dimension_numbers"].lhs_spec[1]]
            # A depthwise filter of constants mixes nothing.
            by_itself = operation.params["feature_group_count"] == channels == _outputs(operation)
            return kernel not in self.flow.moving and (kernel in self._learnt or not by_itself)
        if operation.primitive != "dot_general":
            return False
        moving = [value in self.flow.moving for value in operation.inputs]
        if all(moving):
            return False
        own = product_axes(operation)[moving.index(True)]
        if marks.size == 1:
            return operation.inputs[moving.index(False)] in self._learnt and len(own) < marks.ndim
        return not all(size == 1 or axis in own for axis, size in enumerate(marks.shape))

    def layer(self, operation: Operation) -> Layer:
        """Returns the layer that an operation is."""
        if operation not in self._layers:
            convolves = operation.primitive == "conv_general_dilated"
            make = _convolution if convolves else self._matrix
            self._layers[operation] = make(operation, self._names[operation])
        return self._layers[operation]

    def _matrix(self, operation: Operation, name: str) -> Layer:
        moving = [value in self.flow.moving for value in operation.inputs].index(True)
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


def _names_of_layers(
    program: Program, variables: Mapping[Value, str], top: str
) -> dict[Operation, str]:
    """Names all operations that may be layers; numbers them if a module has several.

    An operation outside of all modules has the name of the largest variable in its weights.
    """
    mixing = [step for step in program.operations if step.primitive in MIXING]
    plain = {}
    for step in mixing:
        own = step.layer.removeprefix(top).strip("/")
        plain[step] = own or _origin(program, variables, step) or step.primitive
    counts, seen = Counter(plain.values()), Counter[str]()
    names = {}
    for step, name in plain.items():
        seen[name] += 1
        names[step] = f"{name}:{seen[name]}" if counts[name] > 1 else name
    return names


def _origin(program: Program, variables: Mapping[Value, str], step: Operation) -> str:
    found: set[Value] = set()
    for kernel in step.inputs:
        before, waiting = {kernel}, [kernel]
        while waiting:
            maker = program.makers.get(waiting.pop())
            new = set(maker.inputs) - before if maker else set()
            before |= new
            waiting += new
        # A value that depends on inputs other than variables is data that weights are applied to.
        if not any(value in program.inputs and value not in variables for value in before):
            found |= before & variables.keys()
    return variables[max(found, key=lambda own: math.prod(own.shape))] if found else ""


def _pairs(laid: Marks) -> np.ndarray:
    """Pairs of mark and kernel, from marks `[kernels, ...]`."""
    flat = laid.reshape(len(laid), -1)
    kernels, places = np.nonzero(flat != NONE)
    return np.stack([flat[kernels, places], kernels], axis=1)


def _merge(known: list[Marks], marks: Marks) -> None:
    """Adds marks to the known ones; arrays that do not contradict each other are merged."""
    for index, other in enumerate(known):
        if other.shape == marks.shape:
            agree = (other == marks) | (other == NONE) | (marks == NONE)
            if agree.all():
                known[index] = np.maximum(other, marks)
                return
    known.append(marks)
