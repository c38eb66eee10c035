"""Finds oneDNN's shared library and declares the functions of its C API that are called here.

https://uxlfoundation.github.io/oneDNN, C API of version 3.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import warnings
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from typing import Any

VARIABLE = "VIDJAX_ONEDNN"
OFF = "off"
_PACKAGE = "onednn-cpu-gomp"
_FILE = "libdnnl.so.3"
_CPU = 1
_IN_ORDER = 1
_HANDLE = POINTER(c_void_p)
_SIZES = POINTER(c_int64)
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "engine_create": (_HANDLE, c_int, c_size_t),
    "stream_create": (_HANDLE, c_void_p, c_int),
    "memory_desc_create_with_strides": (_HANDLE, c_int, _SIZES, c_int, _SIZES),
    "memory_desc_create_with_tag": (_HANDLE, c_int, _SIZES, c_int, c_int),
    "memory_desc_query": (c_void_p, c_int, c_void_p),
    "memory_create": (_HANDLE, c_void_p, c_void_p, c_void_p),
    "memory_set_data_handle": (c_void_p, c_void_p),
    "primitive_attr_create": (_HANDLE,),
    "primitive_attr_set_scratchpad_mode": (c_void_p, c_int),
    "primitive_desc_query": (c_void_p, c_int, c_int, c_void_p),
    "primitive_create": (_HANDLE, c_void_p),
    "primitive_execute": (c_void_p, c_void_p, c_int, c_void_p),
    "reorder_primitive_desc_create": (_HANDLE, *(c_void_p,) * 5),
    "convolution_forward_primitive_desc_create": (
        _HANDLE, c_void_p, c_int, c_int, *(c_void_p,) * 4, *(_SIZES,) * 4, c_void_p,
    ),
    "convolution_backward_data_primitive_desc_create": (
        _HANDLE, c_void_p, c_int, *(c_void_p,) * 3, *(_SIZES,) * 4, c_void_p, c_void_p,
    ),
    "convolution_backward_weights_primitive_desc_create": (
        _HANDLE, c_void_p, c_int, *(c_void_p,) * 4, *(_SIZES,) * 4, c_void_p, c_void_p,
    ),
}  # fmt: skip


class OneDNNError(RuntimeError):
    """A function of oneDNN failed; `status` is its code (3: not implemented for this problem)."""

    def __init__(self, function: str, status: int) -> None:
        super().__init__(f"oneDNN's {function} failed with status {status}")
        self.status = status


class Library:
    """oneDNN's shared library and a CPU engine.

    Attributes:
      path: path of the shared library.
      engine: handle of the CPU engine.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._functions = ctypes.CDLL(path)
        for name, arguments in _FUNCTIONS.items():
            getattr(self._functions, f"dnnl_{name}").argtypes = arguments
        self.engine = self.create("engine_create", _CPU, 0)
        self.execute = self._functions.dnnl_primitive_execute
        self.point = self._functions.dnnl_memory_set_data_handle
        self.layout = self._functions.dnnl_primitive_desc_query_md
        self.layout.restype, self.layout.argtypes = c_void_p, (c_void_p, c_int, c_int)
        self.bytes = self._functions.dnnl_memory_desc_get_size
        self.bytes.restype, self.bytes.argtypes = c_size_t, (c_void_p,)
        # The functions of the OpenMP library that oneDNN has loaded. Other builds have none.
        self._openmp = hasattr(self._functions, "omp_set_num_threads")

    def max_threads(self) -> int:
        """Returns how many threads oneDNN uses for what the calling thread creates or runs."""
        return int(self._functions.omp_get_max_threads()) if self._openmp else 1

    @contextlib.contextmanager
    def limited(self, threads: int) -> Iterator[None]:
        """Sets the number of threads for what the calling thread creates or runs inside."""
        before = self.max_threads()
        if before == threads:
            yield
            return
        self._functions.omp_set_num_threads(threads)
        try:
            yield
        finally:
            self._functions.omp_set_num_threads(before)

    def call(self, name: str, *arguments: Any) -> None:
        """Calls the C function `dnnl_<name>`.

        Raises:
          OneDNNError: the function reports a failure.
        """
        if status := getattr(self._functions, f"dnnl_{name}")(*arguments):
            raise OneDNNError(f"dnnl_{name}", status)

    def create(self, name: str, *arguments: Any) -> c_void_p:
        """Calls the C function `dnnl_<name>`, and returns the handle that it creates."""
        made = c_void_p()
        self.call(name, ctypes.byref(made), *arguments)
        return made

    def stream(self) -> c_void_p:
        """Creates a stream, which runs primitives one after the other."""
        return self.create("stream_create", self.engine, _IN_ORDER)

    def implementation(self, description: c_void_p) -> str:
        """Returns the name of a primitive's kernel, such as `brgconv:avx512_core`."""
        text = c_char_p()
        self.call("primitive_desc_query", description, 8, 0, ctypes.byref(text))
        return (text.value or b"").decode()


@functools.cache
def library() -> Library | None:
    """Loads oneDNN once. Returns None if it is not installed, cannot be loaded or is switched off.

    `VIDJAX_ONEDNN` is the path of another build, or `off`.

    Raises:
      ValueError: the library that `VIDJAX_ONEDNN` names cannot be loaded.
    """
    path = os.environ.get(VARIABLE) or _installed()
    if path in (None, OFF):
        return None
    try:
        return Library(path)
    except (OSError, AttributeError, OneDNNError) as error:
        if os.environ.get(VARIABLE):
            raise ValueError(
                f"{VARIABLE}={path} cannot be loaded: {error}. "
                f"Set {VARIABLE}={OFF} to do without oneDNN."
            ) from error
        warnings.warn(
            f"oneDNN cannot be loaded, so convolutions take longer: {error}. "
            f"Set {VARIABLE}={OFF} to hide this line.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def _installed() -> str | None:
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == _FILE), None)
