"""Finds where features lie in space and time: those that a layer reads, and those that are pooled.

Most values have axes for space and time. Others are flattened to a row: the tokens of a
transformer, and a flattened volume that dense layers read. The row is traced back to the values it
was made from, which have these axes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from vidjax.explain.channel_propagation import pass_back
from vidjax.explain.channel_tracer import ChannelTracer
from vidjax.explain.dataflow import NONE, Marks, UnknownPrimitiveError, pools
from vidjax.explain.layer import Features, Grid, Layer, channels_first
from vidjax.program import Operation, Value

# A position among the inputs of the classifier, and the features that it reads there.
Found = tuple[int, Features]


class FeatureLocations:
    """Finds where the features of a program lie in space and time.

    Args:
      tracer: traces channels through the program.
    """

    def __init__(self, tracer: ChannelTracer) -> None:
        self._tracer = tracer
        self.read = functools.cache(self._read)
        self._grid = functools.cache(self._find_grid)
        self._above = functools.cache(self._find_above)

    def pooled(self, classifier: Layer) -> tuple[Features, ...]:
        """Returns the last features in space and time before a layer, in input order."""
        found: dict[Value, Found] = {}
        for place, own in self._above(classifier):
            found.setdefault(own.value, (place, own))
        return tuple(own for _, own in sorted(found.values(), key=lambda item: item[0]))

    def _read(self, layer: Layer) -> tuple[Features, ...]:
        """Returns the input of a layer in space and time; several values if it was flattened."""
        if len(layer.data.shape) > 2:
            return self._placed(layer.data, layer.data_axes)
        ends = self._tracer.walk(
            layer.data,
            layer.data_axes,
            lambda *step: self._flattens(*step) or self._tracer.is_layer(*step),
        )
        try:
            steps = [step for step in ends if self._flattens(*step)]
        except UnknownPrimitiveError:
            return ()
        return tuple(own for step, *_ in steps for own in self._unflattened(step.inputs[0]))

    def _find_above(self, layer: Layer) -> tuple[Found, ...]:
        own = self._read(layer) if len(layer.data.shape) > 2 else ()
        several = [features for features in own if features.cells > 1]
        if not several:
            return tuple(self._before(layer))
        frames_alone = all(math.prod(features.extents[-2:]) == 1 for features in several)
        # If a pooling window left only frames (I3D), the features in space come before it.
        before = list(self._sums_before(layer)) if frames_alone else []
        return tuple(before or [(0, features) for features in several])

    def _before(self, layer: Layer) -> Iterator[Found]:
        """Yields what was pooled or flattened for a layer, or for the layers before it.

        A layer that makes features at many locations does not belong to the head. A head that takes
        one of them, such as a class token, pools nothing.
        """

        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            return (
                self._sums(operation)
                or self._flattens(operation, output, marks)
                or self._tracer.is_layer(operation, output, marks)
            )

        for operation, output, marks in self._tracer.walk(layer.data, layer.data_axes, ends):
            if self._sums(operation):
                yield from self._summed(operation, output, marks)
            elif self._flattens(operation, output, marks):
                place = int(marks[marks != NONE].min())
                yield from ((place, own) for own in self._unflattened(operation.inputs[0]))
            elif _places_made(before := self._tracer.layer(operation)) == 1:
                yield from ((0, own) for _, own in self._above(before))

    def _sums_before(self, layer: Layer) -> Iterator[Found]:
        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            return self._sums(operation) or self._tracer.is_layer(operation, output, marks)

        for operation, output, marks in self._tracer.walk(layer.data, layer.data_axes, ends):
            if self._sums(operation):
                yield from self._summed(operation, output, marks)

    def _summed(self, operation: Operation, output: Value, marks: Marks) -> Iterator[Found]:
        ((value, own),) = pass_back(operation, output, marks, self._tracer.flow)
        axes = tuple(axis for axis, size in enumerate(own.shape) if size > 1)
        place = int(own[own != NONE].min())
        yield from ((place, features) for features in self._placed(value, axes or (own.ndim - 1,)))

    def _sums(self, operation: Operation) -> bool:
        return pools(operation) and operation.inputs[0] in self._tracer.flow.direct

    def _flattens(self, operation: Operation, output: Value, marks: Marks) -> bool:
        """Returns whether channels and space have become one axis."""
        if operation.primitive != "reshape" or _varied(marks) != 1:
            return False
        passed = pass_back(operation, output, marks, self._tracer.flow)
        return any(_varied(own) > 1 and self._unflattened(value) for value, own in passed)

    def _unflattened(self, value: Value) -> tuple[Features, ...]:
        axes = self._channel_axes(value)
        placed = self._placed(value, axes) if axes else ()
        return tuple(own for own in placed if own.cells > 1)

    def _channel_axes(self, value: Value) -> tuple[int, ...]:
        """Returns the axes along which a value has one layer's kernels, not their locations."""
        found: set[int] = set()
        try:
            steps = list(self._tracer.walk(value, range(len(value.shape)), self._tracer.is_layer))
        except UnknownPrimitiveError:
            return ()
        for operation, _, marks in steps:
            laid = channels_first(marks, self._tracer.layer(operation).made_axes)
            laid = laid.reshape(len(laid), -1)
            there = laid != NONE
            places = np.unravel_index(np.where(there, laid, 0), value.shape)
            for axis, own in enumerate(places):
                least = np.where(there, own, value.shape[axis]).min(axis=0)
                if (np.where(there, own, -1).max(axis=0) > least).any():
                    found.add(axis)
        return tuple(sorted(found))

    def _placed(self, value: Value, axes: tuple[int, ...]) -> tuple[Features, ...]:
        """Returns the features of a value with these channels; none if they have no location."""
        plain = Features(value, axes)
        rest = [axis for axis in range(len(value.shape)) if axis not in axes]
        rest = rest[1:] if rest and value.shape[rest[0]] == 1 else rest
        if len(rest) > 2:
            return (plain,)
        for axis in rest:
            grid = self._grid(value, axis) if value.shape[axis] > 1 else None
            # Two axes may each be one axis of space; a grid then needs more than one axis itself.
            if grid and (len(rest) == 1 or sum(size > 1 for size in grid.shape) > 1):
                return (Features(value, axes, grid),)
        # A row with unknown locations would be drawn as stripes.
        return (plain,) if len(rest) == 2 or len(value.shape) > 3 else ()

    def _find_grid(self, value: Value, axis: int) -> Grid | None:
        """Finds where the elements of an axis lie in a layer's output, or in the clip."""
        found: list[Marks] = []

        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            if self._tracer.is_layer(operation, output, marks):
                layer = self._tracer.layer(operation)
                found.append(channels_first(marks, layer.made_axes)[0])
                return True
            for source, own in pass_back(operation, output, marks, self._tracer.flow):
                if source not in self._tracer.program.makers:
                    found.append(own[..., 0])
            return False

        try:
            list(self._tracer.walk(value, (axis,), ends))
        except UnknownPrimitiveError:
            return None
        grids = [_thinned(own) for own in found]
        if not grids or any(not np.array_equal(own, grids[0]) for own in grids[1:]):
            return None
        (cells, *_) = grids
        whole = cells.size == len(np.unique(cells)) and not (cells == NONE).any()
        if not whole or cells.ndim < 2:
            return None
        return Grid(axis, tuple(cells.shape), tuple(cells.ravel().tolist()))


def _thinned(marks: Marks) -> Marks:
    """Removes repeated marks of `[B, T, H, W]` or `[T, H, W]` along every axis."""
    marks = marks[0] if marks.ndim > 3 and len(marks) == 1 else marks
    for axis, size in enumerate(marks.shape):
        rows = np.moveaxis(marks, axis, 0).reshape(size, -1)
        new = [True, *(rows[1:] != rows[:-1]).any(axis=1).tolist()]
        marks = marks.compress(new, axis)
    return marks


def _places_made(layer: Layer) -> int:
    """Returns at how many locations a layer makes features."""
    shape = layer.operation.outputs[0].shape
    return math.prod(size for axis, size in enumerate(shape) if axis not in layer.made_axes)


def _varied(marks: Marks) -> int:
    """Returns along how many axes marks differ."""
    return sum(size > 1 for size in marks.shape)
