"""Describes to oneDNN where the elements of clips and kernels lie in memory."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from ctypes import POINTER, c_int, c_int64, c_void_p

import numpy as np

from vidjax.layers.convolution.onednn.shared_library import Library
from vidjax.layers.convolution.problem import Problem

DTYPES = {"float32": 3, "bfloat16": 2}
# Values of oneDNN's enumerations.
_ANY = 1
_STRIDES, _BLOCKS, _BLOCK_SIZES, _BLOCK_AXES = 14, 263, 264, 265


def sizes_of(values: Sequence[int]) -> ctypes.Array[c_int64]:
    """Returns numbers as C's array of int64."""
    return (c_int64 * len(values))(*values)


def clip_layout(dnnl: Library, shape: Sequence[int], dtype: str) -> c_void_p:
    """Describes an array `[B, T, H, W, C]`, whose axes oneDNN orders N, C, D, H, W."""
    batch, time, height, width, channels = shape
    row = width * channels
    strides = (time * height * row, 1, height * row, row, channels)
    return _strided(dnnl, (batch, channels, time, height, width), strides, dtype)


def kernel_layout(dnnl: Library, problem: Problem) -> c_void_p:
    """Describes a kernel `[T, H, W, I, O]`."""
    return _strided(dnnl, *_kernel_axes(problem), problem.dtype)


def any_kernel_layout(dnnl: Library, problem: Problem) -> c_void_p:
    """Describes a kernel whose layout oneDNN chooses."""
    sizes, _ = _kernel_axes(problem)
    return dnnl.create(
        "memory_desc_create_with_tag", len(sizes), sizes_of(sizes), DTYPES[problem.dtype], _ANY
    )


def is_plain(dnnl: Library, layout: c_void_p, problem: Problem) -> bool:
    """Returns whether a layout stores a kernel as `[T, H, W, I, O]`, without padding.

    oneDNN's layouts are blocked. With a single block of outputs, the elements lie as in ours.
    """
    sizes, strides = _kernel_axes(problem)
    if dnnl.bytes(layout) != dnnl.bytes(kernel_layout(dnnl, problem)):
        return False
    axes = zip(_places(dnnl, layout, sizes), sizes, strides, strict=True)
    return all(np.array_equal(places, step * np.arange(size)) for places, size, step in axes)


def _places(dnnl: Library, layout: c_void_p, sizes: Sequence[int]) -> list[np.ndarray]:
    """Returns what each index of each axis adds to an element's place, in elements."""
    count = c_int()
    dnnl.call("memory_desc_query", layout, _BLOCKS, ctypes.byref(count))
    strides = _numbers(dnnl, layout, _STRIDES, len(sizes))
    blocks = _numbers(dnnl, layout, _BLOCK_SIZES, count.value)
    axes = _numbers(dnnl, layout, _BLOCK_AXES, count.value)
    places = [np.zeros(size, np.int64) for size in sizes]
    rest = [np.arange(size) for size in sizes]
    step = 1
    for block, axis in reversed(list(zip(blocks, axes, strict=True))):
        places[axis] += step * (rest[axis] % block)
        rest[axis] //= block
        step *= block
    return [place + stride * i for place, stride, i in zip(places, strides, rest, strict=True)]


def _numbers(dnnl: Library, layout: c_void_p, what: int, count: int) -> list[int]:
    numbers = POINTER(c_int64)()
    dnnl.call("memory_desc_query", layout, what, ctypes.byref(numbers))
    return numbers[:count]


def _kernel_axes(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns a kernel's sizes and strides in oneDNN's order: groups, outputs, inputs, taps."""
    taps, inputs, outputs = problem.kernel[:3], problem.kernel[3], problem.outputs
    steps = tuple(math.prod(problem.kernel[axis + 1 :]) for axis in range(3))
    if problem.groups == 1:
        return (outputs, inputs, *taps), (1, outputs, *steps)
    each = outputs // problem.groups
    return (problem.groups, each, inputs, *taps), (each, 1, outputs, *steps)


def _strided(dnnl: Library, sizes: Sequence[int], strides: Sequence[int], dtype: str) -> c_void_p:
    """Describes an array by sizes in oneDNN's order, and strides in elements."""
    return dnnl.create(
        "memory_desc_create_with_strides",
        len(sizes), sizes_of(sizes), DTYPES[dtype], sizes_of(strides),
    )  # fmt: skip
