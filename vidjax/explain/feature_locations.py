"""Where features lie in space and time: what a layer reads, and what is pooled for the classifier.

Most values have axes for it. Others are laid out in a row: the tokens of a transformer, and what
dense layers read of a volume that was flattened. The row is followed back to the values that it was
made from, which have axes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from vidjax.explain.channel_propagation import pass_back
from vidjax.explain.channel_tracer import Trail
from vidjax.explain.dataflow import NONE, Marks, UnknownPrimitiveError, pools
from vidjax.explain.layer import Features, Grid, Layer, channels_first
from vidjax.program import Operation, Value

# A place among the inputs of the classifier, and the features that it gets there.
Found = tuple[int, Features]


class Places:
    """Where the features of a program lie.

    Args:
      trail: of the program.
    """

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self.read = functools.cache(self._read)
        self._grid = functools.cache(self._find_grid)
        self._above = functools.cache(self._find_above)

    def pooled(self, classifier: Layer) -> tuple[Features, ...]:
        """The last features that are in space and time before a layer, in the order it has them."""
        found: dict[Value, Found] = {}
        for place, own in self._above(classifier):
            found.setdefault(own.value, (place, own))
        return tuple(own for _, own in sorted(found.values(), key=lambda item: item[0]))

    def _read(self, layer: Layer) -> tuple[Features, ...]:
        """What a layer reads, in space and time; several values where it reads flattened ones."""
        if len(layer.data.shape) > 2:
            return self._placed(layer.data, layer.data_axes)
        ends = self._trail.walk(
            layer.data,
            layer.data_axes,
            lambda *step: self._flattens(*step) or self._trail.is_layer(*step),
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
        # Where a window has left frames alone (I3D), space is before it.
        before = list(self._sums_before(layer)) if frames_alone else []
        return tuple(before or [(0, features) for features in several])

    def _before(self, layer: Layer) -> Iterator[Found]:
        """What was summed or flattened for a layer, or for those before it.

        A layer that makes features of many places is no part of the head: what takes one of them,
        such as a class token, pools nothing.
        """

        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            return (
                self._sums(operation)
                or self._flattens(operation, output, marks)
                or self._trail.is_layer(operation, output, marks)
            )

        for operation, output, marks in self._trail.walk(layer.data, layer.data_axes, ends):
            if self._sums(operation):
                yield from self._summed(operation, output, marks)
            elif self._flattens(operation, output, marks):
                place = int(marks[marks != NONE].min())
                yield from ((place, own) for own in self._unflattened(operation.inputs[0]))
            elif _places_made(before := self._trail.layer(operation)) == 1:
                yield from ((0, own) for _, own in self._above(before))

    def _sums_before(self, layer: Layer) -> Iterator[Found]:
        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            return self._sums(operation) or self._trail.is_layer(operation, output, marks)

        for operation, output, marks in self._trail.walk(layer.data, layer.data_axes, ends):
            if self._sums(operation):
                yield from self._summed(operation, output, marks)

    def _summed(self, operation: Operation, output: Value, marks: Marks) -> Iterator[Found]:
        ((value, own),) = pass_back(operation, output, marks, self._trail.flow)
        axes = tuple(axis for axis, size in enumerate(own.shape) if size > 1)
        place = int(own[own != NONE].min())
        yield from ((place, features) for features in self._placed(value, axes or (own.ndim - 1,)))

    def _sums(self, operation: Operation) -> bool:
        return pools(operation) and operation.inputs[0] in self._trail.flow.direct

    def _flattens(self, operation: Operation, output: Value, marks: Marks) -> bool:
        """Whether channels and space have become one axis."""
        if operation.primitive != "reshape" or _varied(marks) != 1:
            return False
        passed = pass_back(operation, output, marks, self._trail.flow)
        return any(_varied(own) > 1 and self._unflattened(value) for value, own in passed)

    def _unflattened(self, value: Value) -> tuple[Features, ...]:
        axes = self._channel_axes(value)
        placed = self._placed(value, axes) if axes else ()
        return tuple(own for own in placed if own.cells > 1)

    def _channel_axes(self, value: Value) -> tuple[int, ...]:
        """The axes along which a value has one layer's kernels, and not one kernel's places."""
        found: set[int] = set()
        try:
            steps = list(self._trail.walk(value, range(len(value.shape)), self._trail.is_layer))
        except UnknownPrimitiveError:
            return ()
        for operation, _, marks in steps:
            laid = channels_first(marks, self._trail.layer(operation).made_axes)
            laid = laid.reshape(len(laid), -1)
            there = laid != NONE
            places = np.unravel_index(np.where(there, laid, 0), value.shape)
            for axis, own in enumerate(places):
                least = np.where(there, own, value.shape[axis]).min(axis=0)
                if (np.where(there, own, -1).max(axis=0) > least).any():
                    found.add(axis)
        return tuple(sorted(found))

    def _placed(self, value: Value, axes: tuple[int, ...]) -> tuple[Features, ...]:
        """The features of a value with such channels; none where they are nowhere."""
        plain = Features(value, axes)
        rest = [axis for axis in range(len(value.shape)) if axis not in axes]
        rest = rest[1:] if rest and value.shape[rest[0]] == 1 else rest
        if len(rest) > 2:
            return (plain,)
        for axis in rest:
            grid = self._grid(value, axis) if value.shape[axis] > 1 else None
            # Of two axes, each of which may be one of space, a grid is more than one.
            if grid and (len(rest) == 1 or sum(size > 1 for size in grid.shape) > 1):
                return (Features(value, axes, grid),)
        # A row whose places are not known would be shown as stripes.
        return (plain,) if len(rest) == 2 or len(value.shape) > 3 else ()

    def _find_grid(self, value: Value, axis: int) -> Grid | None:
        """Where the places along an axis lie in what a layer makes of the clip, or in the clip."""
        found: list[Marks] = []

        def ends(operation: Operation, output: Value, marks: Marks) -> bool:
            if self._trail.is_layer(operation, output, marks):
                layer = self._trail.layer(operation)
                found.append(channels_first(marks, layer.made_axes)[0])
                return True
            for source, own in pass_back(operation, output, marks, self._trail.flow):
                if source not in self._trail.program.makers:
                    found.append(own[..., 0])
            return False

        try:
            list(self._trail.walk(value, (axis,), ends))
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
    """Marks of `[B, T, H, W]` or `[T, H, W]`, each once along every axis."""
    marks = marks[0] if marks.ndim > 3 and len(marks) == 1 else marks
    for axis, size in enumerate(marks.shape):
        rows = np.moveaxis(marks, axis, 0).reshape(size, -1)
        new = [True, *(rows[1:] != rows[:-1]).any(axis=1).tolist()]
        marks = marks.compress(new, axis)
    return marks


def _places_made(layer: Layer) -> int:
    """How many places a layer makes features of."""
    shape = layer.operation.outputs[0].shape
    return math.prod(size for axis, size in enumerate(shape) if axis not in layer.made_axes)


def _varied(marks: Marks) -> int:
    """Along how many axes marks differ."""
    return sum(size > 1 for size in marks.shape)
