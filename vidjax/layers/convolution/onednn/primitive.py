"""Compiles and runs one pass of a convolution with oneDNN, channels last."""

from __future__ import annotations

import ctypes
import functools
import itertools
from ctypes import c_int, c_void_p
from dataclasses import dataclass

from vidjax.layers.convolution.onednn.layouts import (
    DTYPES,
    any_kernel_layout,
    clip_layout,
    is_plain,
    kernel_layout,
    sizes_of,
)
from vidjax.layers.convolution.onednn.shared_library import Library, OneDNNError, library
from vidjax.layers.convolution.onednn.threads import computing_threads, converting_threads
from vidjax.layers.convolution.problem import Problem

# Values of oneDNN's enumerations.
_TRAINING, _DIRECT, _USER_SCRATCHPAD = 64, 1, 1
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
      threads: number of threads that compute it.
      converts: whether oneDNN's layout of the kernel differs from ours.
    """

    def __init__(self, name: str, problem: Problem) -> None:
        dnnl = library()
        if dnnl is None:
            raise ValueError("oneDNN is not installed: pip install onednn-cpu-gomp")
        self._library, self._name = dnnl, name
        self._layouts = {
            "x": clip_layout(dnnl, problem.shape, problem.dtype),
            "g": clip_layout(dnnl, problem.result, problem.dtype),
            "kernel": kernel_layout(dnnl, problem),
        }
        most = dnnl.max_threads()
        self.threads = computing_threads(problem, most)
        self._converting_threads = converting_threads(problem, most)
        # oneDNN plans memory for so many threads, so that a run must have the same number.
        with dnnl.limited(self.threads):
            self._make_convolution(problem)
        self.converts = not is_plain(dnnl, self._layouts["own"], problem)
        with dnnl.limited(self._converting_threads):
            self._make_reorder()
        sizes = [_rounded(dnnl.bytes(self._layouts[part])) for part in _PARTS]
        *offsets, whole = itertools.accumulate(sizes, initial=0)
        self._offsets = dict(zip(_PARTS, offsets, strict=True))
        self.scratch = whole + _ALIGNMENT
        self._idle: list[_Run] = []

    def _make_convolution(self, problem: Problem) -> None:
        dnnl = self._library
        description = _description(dnnl, self._name, problem, self._layouts, _attributes(dnnl))
        self.implementation = dnnl.implementation(description)
        what = _DIFF_WEIGHTS_LAYOUT if self._name == "kernel_gradient" else _WEIGHTS_LAYOUT
        self._layouts["own"] = c_void_p(dnnl.layout(description, what, 0))
        self._layouts["scratchpad"] = c_void_p(dnnl.layout(description, _SCRATCHPAD_LAYOUT, 0))
        self._convolution = dnnl.create("primitive_create", description)

    def _make_reorder(self) -> None:
        dnnl = self._library
        ends = ("own", "kernel") if self._name == "kernel_gradient" else ("kernel", "own")
        description = dnnl.create(
            "reorder_primitive_desc_create",
            *(part for end in ends for part in (self._layouts[end], dnnl.engine)),
            _attributes(dnnl),
        )
        self._layouts["reorder"] = c_void_p(dnnl.layout(description, _SCRATCHPAD_LAYOUT, 0))
        self._reorder = dnnl.create("primitive_create", description)

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
            run = self._new_run()
        addresses = (one, other, result, _rounded(scratch))
        for memory, array, offset in run.memories:
            self._library.point(memory, addresses[array] + offset)
        for primitive, arguments, threads in run.steps:
            with self._library.limited(threads):
                status = self._library.execute(primitive, run.stream, len(arguments), arguments)
            if status:
                raise OneDNNError("dnnl_primitive_execute", status)
        self._idle.append(run)

    def _new_run(self) -> _Run:
        dnnl, numbers = self._library, _ARGUMENTS[self._name]
        made = {
            part: dnnl.create("memory_create", layout, dnnl.engine, None)
            for part, layout in self._layouts.items()
        }
        convolution = {
            numbers["x"]: made["x"],
            numbers["kernel"]: made["own"],
            numbers["g"]: made["g"],
            _SCRATCHPAD: made["scratchpad"],
        }
        steps = [(self._convolution, _arguments(convolution), self.threads)]
        if self.converts:
            last = self._name == "kernel_gradient"
            ends = ("own", "kernel") if last else ("kernel", "own")
            reorder = {_FROM: made[ends[0]], _TO: made[ends[1]], _SCRATCHPAD: made["reorder"]}
            steps.insert(
                1 if last else 0, (self._reorder, _arguments(reorder), self._converting_threads)
            )
        memories = [(memory, *self._place(part)) for part, memory in made.items() if memory]
        return _Run(memories, steps, dnnl.stream())

    def _place(self, part: str) -> tuple[int, int]:
        """Returns which of a run's four addresses a part belongs to, and how far behind it lies."""
        if part == "own" and not self.converts:
            part = "kernel"
        arrays = _ARRAYS[self._name]
        return (arrays.index(part), 0) if part in arrays else (len(arrays), self._offsets[part])


@dataclass(frozen=True)
class _Run:
    """The oneDNN objects of one run; each thread that runs the same primitive has its own.

    Attributes:
      memories: each part of the memory, and its place (`Primitive._place`).
      steps: primitives in their order, with their arguments and number of threads.
      stream: the stream that runs them.
    """

    memories: list[tuple[c_void_p, int, int]]
    steps: list[tuple[c_void_p, ctypes.Array[_Argument], int]]
    stream: c_void_p


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


def _attributes(dnnl: Library) -> c_void_p:
    """Says that the caller gives the memory that a primitive needs."""
    attributes = dnnl.create("primitive_attr_create")
    dnnl.call("primitive_attr_set_scratchpad_mode", attributes, _USER_SCRATCHPAD)
    return attributes


def _rounded(address: int) -> int:
    return -(-address // _ALIGNMENT) * _ALIGNMENT


def _description(
    dnnl: Library,
    name: str,
    problem: Problem,
    layouts: dict[str, c_void_p],
    attributes: c_void_p,
) -> c_void_p:
    """Describes the pass to oneDNN, which chooses the layout of the kernel."""
    kernel = any_kernel_layout(dnnl, problem)
    x, g = layouts["x"], layouts["g"]
    before, after = (sizes_of([pad[side] for pad in problem.pads]) for side in range(2))
    window = (sizes_of(problem.strides), sizes_of((0, 0, 0)), before, after)
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
