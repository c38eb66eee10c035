"""Propagates marked channels backwards through the primitives of a program.

For each primitive, a rule answers: which positions of the inputs hold the marked channels of the
output? Marks are an int array with the rank of the value that they belong to. It has size 1 along
the axes that the marks do not depend on. A mark is the number of the channel that is traced; -1
stands for none. Elementwise operations, norms and activation functions pass marks on. Additions
pass them to both sides, concatenations and slices to their ranges; reshapes and transpositions move
them. A gate scales features by something that was computed from their means; it passes marks to the
features only (Stergiou et al., Class Feature Pyramids, ICCVW 2019, section 3.4, residual
connections and branches).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vidjax.explain.dataflow import NONE, REDUCTIONS, Dataflow, Marks, UnknownPrimitiveError
from vidjax.program import Operation, Value

Passed = Iterator[tuple[int, Marks]]
Rule = Callable[[Operation, int, Marks, Dataflow], Passed]


def pass_back(operation: Operation, output: Value, marks: Marks, flow: Dataflow) -> list[Any]:
    """Returns the inputs of an operation that hold marked channels of one of its outputs.

    Args:
      operation: any operation but those that mix channels by weights; those are layers.
      output: one of its outputs.
      marks: marks on the output.
      flow: data flow of the program.

    Returns:
      Pairs of an input and its marks, for inputs that depend on the clip.

    Raises:
      UnknownPrimitiveError: no rule is known for the primitive; names it and the layer.
    """
    rule = RULES.get(operation.primitive)
    if rule is None:
        raise UnknownPrimitiveError(operation)
    number = next(k for k, value in enumerate(operation.outputs) if value is output)
    passed = rule(operation, number, marks, flow)
    return [
        (operation.inputs[index], own)
        for index, own in passed
        if operation.inputs[index] in flow.moving and (own != NONE).any()
    ]


def _each(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks to all inputs of the output's rank; scalars hold no channels."""
    for index, value in enumerate(operation.inputs):
        if len(value.shape) == marks.ndim:
            yield index, marks


def _gated(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks of a product to the factors that are features; to all if none is."""
    features = [k for k, value in enumerate(operation.inputs) if value in flow.direct]
    for index, own in _each(operation, number, marks, flow):
        if index in features or not features:
            yield index, own


def _cases(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    return ((index, own) for index, own in _each(operation, number, marks, flow) if index)


def _same(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks of output k to input k, which has the same shape."""
    yield number, marks


def _broadcast(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    (value, *_), axes = operation.inputs, operation.params["broadcast_dimensions"]
    kept = [
        axis
        for size, axis in zip(value.shape, axes, strict=True)
        if size == operation.outputs[0].shape[axis]
    ]
    # A value that is broadcast along channels holds none.
    if all(size == 1 or axis in kept for axis, size in enumerate(marks.shape)):
        yield 0, marks.reshape([marks.shape[axis] if axis in kept else 1 for axis in axes])


def _reshape(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    full, target = list(marks.shape), [1] * len(before)
    for old, new in _groups(before, after):
        if any(marks.shape[axis] > 1 for axis in new):
            for axis in new:
                full[axis] = after[axis]
            for axis in old:
                target[axis] = before[axis]
    yield 0, np.broadcast_to(marks, full).reshape(target)


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yields the shortest runs of axes with equal products on both sides."""
    old, new = list(range(len(before))), list(range(len(after)))
    while old or new:
        left, right = old[:1], new[:1]
        while math.prod(before[k] for k in left) != math.prod(after[k] for k in right):
            less = math.prod(before[k] for k in left) < math.prod(after[k] for k in right)
            grown, source = (left, old) if less else (right, new)
            grown.append(source[len(grown)])
        old, new = old[len(left) :], new[len(right) :]
        yield left, right


def _transpose(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    yield 0, marks.transpose(np.argsort(operation.params["permutation"]))


def _squeeze(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    yield 0, np.expand_dims(marks, operation.params["dimensions"])


def _reversed(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    yield 0, np.flip(marks, operation.params["dimensions"])


def _reduce(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    yield 0, np.expand_dims(marks, operation.params["axes"])


def _along(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks through cumulative operations and sorts, except along channels."""
    axis = operation.params.get("axis", operation.params.get("dimension"))
    if marks.shape[axis] > 1:
        raise UnknownPrimitiveError(operation, "it works along the channel axis")
    yield number, marks


def _window(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    windows = operation.params["window_dimensions"]
    varied = [axis for axis, size in enumerate(marks.shape) if size > 1]
    spanned = [axis for axis in varied if windows[axis] > 1]
    if not spanned:
        yield 0, marks
        return
    dilated = {*operation.params["base_dilation"], *operation.params["window_dilation"]}
    # If a volume is flattened later, locations are marked as well as channels.
    if len(varied) == 1 or dilated != {1}:
        raise UnknownPrimitiveError(operation, "its window spans several channels")
    for offsets in itertools.product(*(range(windows[axis]) for axis in spanned)):
        own = marks
        for axis, offset in zip(spanned, offsets, strict=True):
            own = _under(operation, own, axis, offset)
        yield 0, own


def _under(operation: Operation, marks: Marks, axis: int, offset: int) -> Marks:
    """Converts marks of windows to marks of the element at one offset of each window."""
    size, (low, _) = operation.inputs[0].shape[axis], operation.params["padding"][axis]
    step = operation.params["window_strides"][axis]
    places = offset - low + step * np.arange(marks.shape[axis])
    there = (places >= 0) & (places < size)
    own = np.full([*marks.shape[:axis], size, *marks.shape[axis + 1 :]], NONE)
    own[(slice(None),) * axis + (places[there],)] = marks.compress(there, axis)
    return own


def _slice(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    params = operation.params
    strides = params["strides"] or (1,) * marks.ndim
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    yield 0, _placed(marks, operation.inputs[0].shape, [slice(*own) for own in bounds])


def _placed(marks: Marks, shape: Sequence[int], slices: Sequence[slice]) -> Marks:
    """Extends the marks of a part to the whole; there are no marks elsewhere."""
    for axis, (size, own) in enumerate(zip(shape, slices, strict=True)):
        if marks.shape[axis] > 1:
            whole = np.full([*marks.shape[:axis], size, *marks.shape[axis + 1 :]], NONE)
            whole[(slice(None),) * axis + (own,)] = marks
            marks = whole
    return marks


def _pad(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    for axis, (low, _, inner) in enumerate(operation.params["padding_config"]):
        if marks.shape[axis] > 1:
            places = low + (inner + 1) * np.arange(operation.inputs[0].shape[axis])
            there = (places >= 0) & (places < marks.shape[axis])
            taken = np.take(marks, np.where(there, places, 0), axis)
            shape = [-1 if k == axis else 1 for k in range(marks.ndim)]
            marks = np.where(there.reshape(shape), taken, NONE)
    yield 0, marks


def _concatenate(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    axis, start = operation.params["dimension"], 0
    for index, value in enumerate(operation.inputs):
        end = start + value.shape[axis]
        yield index, _range(marks, axis, start, end)
        start = end


def _range(marks: Marks, axis: int, start: int, end: int) -> Marks:
    """Returns the marks of a range along an axis; unchanged if they do not depend on the axis."""
    return marks if marks.shape[axis] == 1 else marks.take(range(start, end), axis)


def _stack(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    axis = operation.params["axis"]
    for index in range(len(operation.inputs)):
        yield index, _range(marks, axis, index, index + 1).squeeze(axis)


def _split(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    sizes, axis = operation.params["sizes"], operation.params["axis"]
    start = sum(sizes[:number])
    slices = [slice(None)] * marks.ndim
    slices[axis] = slice(start, start + sizes[number])
    yield 0, _placed(marks, operation.inputs[0].shape, slices)


def _dynamic_slice(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    value, *starts = operation.inputs
    slices = []
    for axis, (size, start) in enumerate(zip(operation.params["slice_sizes"], starts, strict=True)):
        first = 0 if size == value.shape[axis] or marks.shape[axis] == 1 else flow.fixed(start)
        if first is None:
            raise UnknownPrimitiveError(operation, "its first channel depends on the clip")
        slices.append(slice(int(first), int(first) + size))
    yield 0, _placed(marks, value.shape, slices)


def _gather(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks through the selection of frames, or of channels by constant numbers."""
    value, numbers = operation.inputs
    where = operation.params["dimension_numbers"]
    sizes = operation.params["slice_sizes"]
    given_up = {*where.collapsed_slice_dims, *where.operand_batching_dims}
    inner = [axis for axis in range(len(value.shape)) if axis not in given_up]
    outer = [axis for axis in range(marks.ndim) if axis not in where.offset_dims]
    shape = [1] * len(value.shape)
    for axis, place in zip(inner, where.offset_dims, strict=True):
        if marks.shape[place] > 1 and sizes[axis] != value.shape[axis]:
            raise UnknownPrimitiveError(operation, "it takes some of the channels")
        shape[axis] = marks.shape[place]
    if all(marks.shape[axis] == 1 for axis in outer):
        yield 0, marks.reshape(shape)
        return
    indices = flow.fixed(numbers)
    if indices is None or len(where.start_index_map) != 1 or marks.size != max(marks.shape):
        raise UnknownPrimitiveError(operation, "the channels that it takes depend on the clip")
    (axis,) = where.start_index_map
    pairs = zip(indices.ravel(), marks.ravel(), strict=True)
    turns = [(int(index), int(mark)) for index, mark in pairs]
    shape[axis] = value.shape[axis]
    # A channel may be taken more than once; each time yields its own set of marks.
    while turns:
        own, later = np.full(value.shape[axis], NONE), []
        for index, mark in turns:
            if own[index] == NONE:
                own[index] = mark
            else:
                later.append((index, mark))
        yield 0, own.reshape(shape)
        turns = later


def _product(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks through matrix products over frames or space, or of two features."""
    axes = product_axes(operation)
    for index, own in enumerate(axes):
        if all(size == 1 or axis in own for axis, size in enumerate(marks.shape)):
            shape = [1] * len(operation.inputs[index].shape)
            for place, axis in own.items():
                shape[axis] = marks.shape[place]
            order = np.argsort([own[place] for place in sorted(own)])
            kept = marks.reshape([marks.shape[place] for place in sorted(own)])
            yield index, kept.transpose(order).reshape(shape)


def product_axes(operation: Operation) -> tuple[dict[int, int], dict[int, int]]:
    """Returns which left and right axes the output axes of a `dot_general` come from."""
    (left_sum, right_sum), (left_batch, right_batch) = operation.params["dimension_numbers"]
    batch = len(left_batch)
    ranks = [len(value.shape) for value in operation.inputs]
    free = [
        [axis for axis in range(rank) if axis not in (*summed, *batched)]
        for rank, summed, batched in zip(
            ranks, (left_sum, right_sum), (left_batch, right_batch), strict=True
        )
    ]
    left = dict(enumerate([*left_batch, *free[0]]))
    right = dict(enumerate(right_batch))
    right |= dict(enumerate(free[1], start=batch + len(free[0])))
    return left, right


def _depthwise(operation: Operation, number: int, marks: Marks, flow: Dataflow) -> Passed:
    """Passes marks through a depthwise filter that is no layer: constant, or made from the clip."""
    numbers = operation.params["dimension_numbers"]
    groups = operation.params["feature_group_count"]
    channels = operation.inputs[0].shape[numbers.lhs_spec[1]]
    if not channels == groups == operation.outputs[0].shape[numbers.out_spec[1]]:
        raise UnknownPrimitiveError(operation, "its kernel does not consist of weights only")
    yield 0, marks.transpose(numbers.out_spec).transpose(np.argsort(numbers.lhs_spec))


_ELEMENTWISE = (
    "abs add add_any and cbrt ceil convert_element_type copy copy_p cos cosh erf erfc exp exp2 "
    "expm1 floor integer_pow is_finite log log1p logistic max min neg not or real reduce_precision "
    "round rsqrt sign sin sinh sqrt square stop_gradient sub tan tanh asin acos atan asinh acosh "
    "atanh lgamma digamma erf_inv"
)
_PRODUCTS = "mul div pow rem atan2"
_WINDOWS = "reduce_window_sum reduce_window_max reduce_window_min reduce_window"
_ALONG = "cumsum cummax cummin cumprod cumlogsumexp sort"

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _each),
    **dict.fromkeys(_PRODUCTS.split(), _gated),
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(_WINDOWS.split(), _window),
    **dict.fromkeys(_ALONG.split(), _along),
    "broadcast_in_dim": _broadcast,
    "clamp": _each,
    "concatenate": _concatenate,
    "conv_general_dilated": _depthwise,
    "dot_general": _product,
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "optimization_barrier": _same,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _reversed,
    "select_n": _cases,
    "sharding_constraint": _same,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
}
