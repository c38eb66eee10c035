"""Calls oneDNN's convolutions from compiled programs, as a custom call of XLA's typed FFI.

The structures are those of `xla/ffi/api/c_api.h`, which comes with jaxlib. Python handles a call
within microseconds; the convolution itself runs without the interpreter lock.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.layers.convolution.onednn.layouts import DTYPES
from vidjax.layers.convolution.onednn.primitive import primitive
from vidjax.layers.convolution.problem import Problem

TARGET = "vidjax_onednn_convolution"
_PASSES = ("forward", "input_gradient", "kernel_gradient")
# Place of the kernel among the arrays of a pass; the others are clips.
_KERNEL = {"forward": 1, "input_gradient": 0, "kernel_gradient": 2}
_EXECUTE, _METADATA, _INTERNAL = 3, 1, 13


class _Extension(Structure):
    pass


_Extension._fields_ = (("size", c_size_t), ("type", c_int), ("next", POINTER(_Extension)))


class _Version(Structure):
    _fields_ = (
        ("size", c_size_t), ("extension", c_void_p), ("major", c_int), ("minor", c_int),
    )  # fmt: skip


class _Metadata(Structure):
    _fields_ = (("size", c_size_t), ("version", _Version), ("traits", c_int32))


class _MetadataExtension(Structure):
    _fields_ = (("base", _Extension), ("metadata", POINTER(_Metadata)))


class _Buffer(Structure):
    _fields_ = (
        ("size", c_size_t), ("extension", c_void_p), ("dtype", c_int), ("data", c_void_p),
        ("rank", c_int64), ("dims", POINTER(c_int64)),
    )  # fmt: skip


class _Array(Structure):
    _fields_ = (("dtype", c_int), ("size", c_size_t), ("data", c_void_p))


class _Buffers(Structure):
    _fields_ = (
        ("struct_size", c_size_t), ("extension", c_void_p), ("size", c_int64),
        ("types", c_void_p), ("each", POINTER(POINTER(_Buffer))),
    )  # fmt: skip


class _Attributes(Structure):
    _fields_ = (
        ("struct_size", c_size_t), ("extension", c_void_p), ("size", c_int64),
        ("types", c_void_p), ("names", c_void_p), ("each", POINTER(POINTER(_Array))),
    )  # fmt: skip


class _Api(Structure):
    _fields_ = (
        ("size", c_size_t), ("extension", c_void_p), ("version", _Version),
        ("internal", c_void_p), ("create_error", c_void_p),
    )  # fmt: skip


class _Frame(Structure):
    _fields_ = (
        ("size", c_size_t), ("extension", POINTER(_Extension)), ("api", POINTER(_Api)),
        ("context", c_void_p), ("stage", c_int), ("arguments", _Buffers),
        ("results", _Buffers), ("attributes", _Attributes),
    )  # fmt: skip


class _Error(Structure):
    _fields_ = (
        ("size", c_size_t), ("extension", c_void_p), ("message", c_char_p), ("code", c_int),
    )  # fmt: skip


# Offsets in a call's frame of the addresses that each execution reads.
_WORD = ctypes.sizeof(c_void_p)
_EXTENSION = _Frame.extension.offset
_ARGUMENTS = _Frame.arguments.offset + _Buffers.each.offset
_RESULTS = _Frame.results.offset + _Buffers.each.offset
_ATTRIBUTES = _Frame.attributes.offset + _Attributes.each.offset
# Version of the interface; later ones with the same first number are compatible with it.
_VERSION = (0, 1)
_CreateError = ctypes.CFUNCTYPE(c_void_p, POINTER(_Error))


def convolve(name: str, problem: Problem, one: jax.Array, other: jax.Array) -> jax.Array:
    """Computes one pass of a convolution by oneDNN, as an operation of the traced program.

    Args:
      name: `forward`, `input_gradient` or `kernel_gradient`.
      problem: the convolution. oneDNN must support the pass (`primitive.available`).
      one: the first array of the pass, as in `vidjax.layers.convolution.algorithm`.
      other: the second array, of the same dtype.

    Returns:
      The result, of the same dtype.

    Raises:
      ValueError: an array has another dtype than the problem.
    """
    if not one.dtype.name == other.dtype.name == problem.dtype:
        raise ValueError(f"arrays {one.dtype} and {other.dtype} in a {problem.dtype} convolution")
    _register()
    whole = {
        "forward": problem.result,
        "input_gradient": problem.shape,
        "kernel_gradient": problem.kernel,
    }[name]
    shapes = [
        shape if place == _KERNEL[name] else _by_position(shape)
        for place, shape in enumerate((one.shape, other.shape, whole))
    ]
    results = (
        jax.ShapeDtypeStruct(shapes[2], problem.dtype),
        jax.ShapeDtypeStruct((primitive(name, problem).scratch,), jnp.uint8),
    )
    call = jax.ffi.ffi_call(TARGET, results, vmap_method="sequential")
    numbers = _encoded(name, problem)
    result: jax.Array = call(one.reshape(shapes[0]), other.reshape(shapes[1]), problem=numbers)[0]
    return result.reshape(whole)


def _by_position(shape: Sequence[int]) -> tuple[int, int]:
    """Returns `[positions, C]` for clips, which is how matrix products read them as well.

    XLA computes an array once more for each shape in which it is read.
    """
    return math.prod(shape[:-1]), shape[-1]


def _encoded(name: str, problem: Problem) -> np.ndarray:
    """Encodes the pass and its convolution as int64 numbers, which other processes can decode."""
    pads = [side for pad in problem.pads for side in pad]
    numbers = (_PASSES.index(name), DTYPES[problem.dtype], *problem.shape, *problem.kernel)
    return np.array((*numbers, *problem.strides, *pads, problem.groups), np.int64)


def _decoded(numbers: Sequence[int]) -> tuple[str, Problem]:
    dtype = next(dtype for dtype, number in DTYPES.items() if number == numbers[1])
    shape, kernel, strides, sides = (
        tuple(numbers[slice(*ends)]) for ends in ((2, 7), (7, 12), (12, 15), (15, 21))
    )
    pads = tuple(zip(sides[::2], sides[1::2], strict=True))
    time, height, width = strides
    problem = Problem(shape, kernel, (time, height, width), pads, numbers[21], dtype)
    return _PASSES[numbers[0]], problem


@functools.cache
def _compiled(numbers: bytes) -> Any:
    return primitive(*_decoded(np.frombuffer(numbers, np.int64).tolist()))


def _handle(frame: int) -> int | None:
    """Handles calls from XLA: the first asks for the version of the interface, others execute."""
    extension = _pointer(frame + _EXTENSION)
    if extension and _Extension.from_address(extension).type == _METADATA:
        version = _MetadataExtension.from_address(extension).metadata.contents.version
        version.major, version.minor = _VERSION
        return None
    if _Frame.from_address(frame).stage != _EXECUTE:
        return None
    # Single addresses are read, because structures as objects would take several times as long.
    arguments, results = _pointer(frame + _ARGUMENTS), _pointer(frame + _RESULTS)
    described = _pointer(_pointer(frame + _ATTRIBUTES))
    count = _pointer(described + _Array.size.offset)
    numbers = ctypes.string_at(_pointer(described + _Array.data.offset), 8 * count)
    buffers = (arguments, arguments + _WORD, results, results + _WORD)
    try:
        _compiled(numbers).run(
            *(_pointer(_pointer(each) + _Buffer.data.offset) for each in buffers)
        )
    except Exception as error:
        # ctypes would print the error and go on with a result that was never computed.
        return _failed(frame, f"{type(error).__name__}: {error}")
    return None


def _pointer(address: int) -> int:
    return c_void_p.from_address(address).value or 0


def _failed(frame: int, message: str) -> int | None:
    error = _Error(ctypes.sizeof(_Error), None, message.encode(), _INTERNAL)
    create = _CreateError(_Frame.from_address(frame).api.contents.create_error)
    made: int | None = create(ctypes.byref(error))
    return made


# Kept for the life of the process, because XLA holds its address.
_HANDLER = ctypes.CFUNCTYPE(c_void_p, c_void_p)(_handle)


@functools.cache
def _register() -> None:
    """Registers the target with XLA. Programs from the compilation cache call it by name."""
    address = ctypes.cast(_HANDLER, c_void_p).value
    jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(address), platform="cpu")
