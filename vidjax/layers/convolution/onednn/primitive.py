"""Compiles and runs one pass of a convolution with oneDNN, channels last."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence
from ctypes import c_int, c_int64, c_void_p

from vidjax.layers.convolution.onednn.shared_library import Library, OneDNNError, library
from vidjax.layers.convolution.problem import Problem

DTYPES = {"float32": 3, "bfloat16": 2}
# Values of oneDNN's enumerations.
_ANY, _TRAINING, _DIRECT, _USER_SCRATCHPAD = 1, 64, 1, 1
_WEIGHTS_LAYOUT, _DIFF_WEIGHTS_LAYOUT, _SCRATCHPAD_LAYOUT = 131, 132, 136
_FROM, _TO, _SCRATCHPAD = 1, 17, 80
_ARGUMENTS = {
    "forward": {"x": 1, "kernel": 33, "g": 17},
    "input_gradient": {"x": 129, "kernel": 33, "g": 145},
    "kernel_gradient": {"x": 1, "kernel": 161, "g": 145},
}
# The two inputs and the result of each pass.
_ARRAYS = {
    "forward": ("x", "kernel", "g"),
    "input_gradient": ("kernel", "g", "x"),
    "kernel_gradient": ("x", "g", "kernel"),
}
_ALIGNMENT = 64
# Parts of the memory that a run needs besides its arrays.
_PARTS = ("own", "scratchpad", "reorder")


class _Argument(ctypes.Structure):
    _fields_ = (("argument", c_int), ("memory", c_void_p))


class Primitive:
    """A compiled pass. It converts the kernel to oneDNN's own layout, and its gradient back.

    Attributes:
      scratch: bytes of memory that a run needs besides its arrays.
      implementation: name of oneDNN's implementation, such as `brgconv:avx512_core`.
    """

    def __init__(self, name: str, problem: Problem) -> None:
        dnnl = library()
        if dnnl is None:
            raise ValueError("oneDNN is not installed: pip install onednn-cpu-gomp")
        self._library, self._name = dnnl, name
        self._layouts = {
            "x": _channels_last(dnnl, problem.shape, problem.dtype),
            "g": _channels_last(dnnl, problem.result, problem.dtype),
            "kernel": _layout(dnnl, *_kernel_sizes(problem), problem.dtype),
        }
        attributes = dnnl.create("primitive_attr_create")
        dnnl.call("primitive_attr_set_scratchpad_mode", attributes, _USER_SCRATCHPAD)
        description = _description(dnnl, name, problem, self._layouts, attributes)
        self.implementation = dnnl.implementation(description)
        what = _DIFF_WEIGHTS_LAYOUT if name == "kernel_gradient" else _WEIGHTS_LAYOUT
        self._layouts["own"] = c_void_p(dnnl.layout(description, what, 0))
        self._layouts["scratchpad"] = c_void_p(dnnl.layout(description, _SCRATCHPAD_LAYOUT, 0))
        ends = ("own", "kernel") if name == "kernel_gradient" else ("kernel", "own")
        reorder = dnnl.create(
            "reorder_primitive_desc_create",
            *(part for end in ends for part in (self._layouts[end], dnnl.engine)),
            attributes,
        )
        self._layouts["reorder"] = c_void_p(dnnl.layout(reorder, _SCRATCHPAD_LAYOUT, 0))
        self._convolution = dnnl.create("primitive_create", description)
        self._reorder = dnnl.create("primitive_create", reorder)
        sizes = {part: _rounded(dnnl.bytes(self._layouts[part])) for part in _PARTS}
        offsets = [sum(list(sizes.values())[:i]) for i in range(len(sizes))]
        self._offsets = dict(zip(_PARTS, offsets, strict=True))
        self.scratch = sum(sizes.values()) + _ALIGNMENT
        self._idle: list[_Run] = []

    def run(self, one: int, other: int, result: int, scratch: int) -> None:
        """Computes the pass.

        Args:
          one: address of the first array.
          other: address of the second array.
          result: address of the result.
          scratch: address of `self.scratch` bytes.

        Raises:
          OneDNNError: oneDNN reports a failure.
        """
        try:
            run = self._idle.pop()
        except IndexError:
            run = _Run(self._library, self._name, self._layouts)
        places = dict(zip(_ARRAYS[self._name], (one, other, result), strict=True))
        base = _rounded(scratch)
        places.update((part, base + offset) for part, offset in self._offsets.items())
        for part, memory in run.memories:
            self._library.point(memory, places[part])
        if self._name == "kernel_gradient":
            steps = ((self._convolution, run.convolution), (self._reorder, run.reorder))
        else:
            steps = ((self._reorder, run.reorder), (self._convolution, run.convolution))
        for primitive, arguments in steps:
            status = self._library.execute(primitive, run.stream, len(arguments), arguments)
            if status:
                raise OneDNNError("dnnl_primitive_execute", status)
        self._idle.append(run)


class _Run:
    """The oneDNN objects of one run; each thread that runs the same primitive has its own."""

    def __init__(self, dnnl: Library, name: str, layouts: dict[str, c_void_p]) -> None:
        made = {
            part: dnnl.create("memory_create", layout, dnnl.engine, None)
            for part, layout in layouts.items()
        }
        self.memories = [(part, memory) for part, memory in made.items() if memory]
        self.stream = dnnl.stream()
        numbers = _ARGUMENTS[name]
        self.convolution = _arguments(
            {
                numbers["x"]: made["x"],
                numbers["kernel"]: made["own"],
                numbers["g"]: made["g"],
                _SCRATCHPAD: made["scratchpad"],
            }
        )
        ends = ("own", "kernel") if name == "kernel_gradient" else ("kernel", "own")
        self.reorder = _arguments(
            {_FROM: made[ends[0]], _TO: made[ends[1]], _SCRATCHPAD: made["reorder"]}
        )


@functools.cache
def primitive(name: str, problem: Problem) -> Primitive:
    """Compiles a pass of a problem, once per process.

    Raises:
      OneDNNError: oneDNN does not support it.
      ValueError: oneDNN is not installed.
    """
    return Primitive(name, problem)


@functools.cache
def available(name: str, problem: Problem) -> bool:
    """Returns whether oneDNN supports the pass by more than its slow reference implementation."""
    if (
        library() is None
        or problem.dtype not in DTYPES
        or min(min(pad) for pad in problem.pads) < 0
    ):
        return False
    if not all((*problem.shape, *problem.size, *problem.kernel)) or _is_wrong(name, problem):
        return False
    try:
        return not primitive(name, problem).implementation.startswith(("ref", "gemm:ref"))
    except OneDNNError:
        return False


def _is_wrong(name: str, problem: Problem) -> bool:
    """Returns whether oneDNN 3.2 computes the pass wrongly, and writes beside its memory.

    Its bfloat16 gradient of a kernel that is longer than the clip (`jit_bf16:avx512_core_bf16`) has
    errors as large as the gradient itself. float32, and kernels that are wider or higher than the
    frames, are right.
    """
    is_longer = problem.kernel[0] > problem.shape[1]
    return name == "kernel_gradient" and problem.dtype == "bfloat16" and is_longer


def _rounded(address: int) -> int:
    return -(-address // _ALIGNMENT) * _ALIGNMENT


def _sizes(values: Sequence[int]) -> ctypes.Array[c_int64]:
    return (c_int64 * len(values))(*values)


def _layout(
    dnnl: Library, sizes: Sequence[int], strides: Sequence[int] | None, dtype: str
) -> c_void_p:
    """Describes an array by sizes in oneDNN's order, and strides in elements.

    If strides are None, oneDNN chooses the layout.
    """
    if strides is None:
        return dnnl.create(
            "memory_desc_create_with_tag", len(sizes), _sizes(sizes), DTYPES[dtype], _ANY
        )
    return dnnl.create(
        "memory_desc_create_with_strides", len(sizes), _sizes(sizes), DTYPES[dtype], _sizes(strides)
    )


def _channels_last(dnnl: Library, shape: Sequence[int], dtype: str) -> c_void_p:
    """Describes an array `[B, T, H, W, C]`, whose axes oneDNN orders N, C, D, H, W."""
    batch, time, height, width, channels = shape
    row = width * channels
    strides = (time * height * row, 1, height * row, row, channels)
    return _layout(dnnl, (batch, channels, time, height, width), strides, dtype)


def _kernel_sizes(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns a kernel's sizes and strides in oneDNN's order: groups, outputs, inputs, taps."""
    taps, inputs, outputs = problem.kernel[:3], problem.kernel[3], problem.outputs
    steps = tuple(math.prod(problem.kernel[axis + 1 :]) for axis in range(3))
    if problem.groups == 1:
        return (outputs, inputs, *taps), (1, outputs, *steps)
    each = outputs // problem.groups
    return (problem.groups, each, inputs, *taps), (each, 1, outputs, *steps)


def _description(
    dnnl: Library,
    name: str,
    problem: Problem,
    layouts: dict[str, c_void_p],
    attributes: c_void_p,
) -> c_void_p:
    """Describes the pass to oneDNN, which chooses the layout of the kernel."""
    kernel = _layout(dnnl, _kernel_sizes(problem)[0], None, problem.dtype)
    x, g = layouts["x"], layouts["g"]
    before, after = (_sizes([pad[side] for pad in problem.pads]) for side in range(2))
    window = (_sizes(problem.strides), _sizes((0, 0, 0)), before, after)
    forward = dnnl.create(
        "convolution_forward_primitive_desc_create",
        dnnl.engine, _TRAINING, _DIRECT, x, kernel, None, g, *window, attributes,
    )  # fmt: skip
    if name == "forward":
        return forward
    if name == "input_gradient":
        return dnnl.create(
            "convolution_backward_data_primitive_desc_create",
            dnnl.engine, _DIRECT, x, kernel, g, *window, forward, attributes,
        )  # fmt: skip
    return dnnl.create(
        "convolution_backward_weights_primitive_desc_create",
        dnnl.engine, _DIRECT, x, kernel, None, g, *window, forward, attributes,
    )  # fmt: skip


def _arguments(memories: dict[int, c_void_p]) -> ctypes.Array[_Argument]:
    given = [_Argument(number, memory) for number, memory in memories.items() if memory]
    return (_Argument * len(given))(*given)
