"""Reads the tensors of a checkpoint without PyTorch and without running code from the file.

Memory grows with what a file holds, not with what it claims to hold. Each storage is read and
converted once, and no tensor has more elements than its storage, except small ones.
"""

from __future__ import annotations

import functools
import io
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from safetensors.numpy import load_file

from vidjax.convert.caffe2_pickle import caffe2_tensors
from vidjax.convert.flax_pickle import flax_tensors
from vidjax.convert.numpy_pickles import load_arrays
from vidjax.convert.torch_archive import MAGIC, Read, open_legacy, open_zip
from vidjax.convert.torch_pickles import DTYPES, CheckpointError, Stored, Tensor, short
from vidjax.storage.buckets import BucketError
from vidjax.storage.local_copies import local_copy
from vidjax.storage.paths import as_path
from vidjax.untrusted_names import flaw

_STATE_DICT_KEYS = ("state_dict", "model_state", "model_state_dict", "model")
# Prefixes of wrapped networks: DataParallel, a training project, torch.compile.
_WRAPPED = re.compile(r"(module|model|_orig_mod)\.(?=.)")
# Running averages of the weights, with which some projects report their scores.
_AVERAGED = re.compile(r"(?i)(^|_)(ema|averaged?|swa)(_|$)|module_ema")
# # Largest number of elements of a tensor that repeats elements, as `expand` makes them. Without
# this limit, a small file could fill the memory.
_REPEATED = 2**20
# A tensor takes about 100 bytes of the header.
_LARGEST_HEADER = 2**25
_MOST_AXES = 32


def read_tensors(
    source: str | os.PathLike[str] | Mapping[str, Any], entry: str | None = None
) -> dict[str, np.ndarray]:
    """Reads the tensors of a checkpoint, by name, and drops everything else.

    Args:
      source: a file of `torch.save` or safetensors; a file of Flax variables or Caffe2 blobs
        pickled as NumPy arrays; or a mapping of PyTorch, NumPy or JAX arrays. The state dict is the
        whole content, or lies at most two levels deep under `state_dict`, `model_state`,
        `model_state_dict` or `model`. The prefixes `module.` (DataParallel), `model.` (PySlowFast's
        zoo, Lightning) and `_orig_mod.` (torch.compile) are removed if every name has them.
      entry: name of another entry of the file to read, such as `state_dict_ema`. None reads the
        usual one, and a warning names averaged weights beside it.

    Returns:
      Floats as float32, other dtypes unchanged. Arrays from `torch.save` are read-only and share
      memory.

    Raises:
      FileNotFoundError: the file does not exist.
      BucketError: the bucket cannot be read.
      CheckpointError: the file is not a checkpoint, is damaged, has no state dict or no such entry,
        or would run code.
    """
    named = "the mapping" if isinstance(source, Mapping) else os.fspath(source)
    try:
        if isinstance(source, Mapping):
            return _converted(_entry(source, entry), _in_memory)
        with local_copy(as_path(source)) as file, _opened(file) as stream:
            return _from_file(stream, entry)
    except (FileNotFoundError, IsADirectoryError, PermissionError, BucketError):
        raise
    except CheckpointError as error:
        raise CheckpointError(f"{named} {error}") from error
    except Exception as error:  # damaged bytes make the parsers raise nearly anything
        why = short(f"{type(error).__name__}: {error}", 200)
        raise CheckpointError(f"{named} seems to be damaged: {why}") from error


def _opened(file: Path) -> io.BufferedReader:
    # A pipe or a device could be read without end.
    if file.exists() and not file.is_file() and not file.is_dir():
        raise CheckpointError("is not a regular file")
    return file.open("rb")


def _from_file(stream: io.BufferedReader, entry: str | None) -> dict[str, np.ndarray]:
    head, size = stream.peek(512), os.fstat(stream.fileno()).st_size
    for is_such, opened in ((head[:2] == b"PK", open_zip), (MAGIC in head[:32], open_legacy)):
        if is_such:
            tree, read = opened(stream, size)
            return _converted(_entry(tree, entry), _reader(read))
    if head[:1] == b"\x80" and head[8:9] != b"{":
        return _converted(_entry(_from_pickle(stream, size), entry), _plain)
    if head[8:9] != b"{":
        kind = "a tar file (PyTorch 0.1?)" if head[257:262] == b"ustar" else f"{head[:12]!r}..."
        raise CheckpointError(f"is neither a PyTorch (0.2 or newer) nor a safetensors file: {kind}")
    if (length := int.from_bytes(head[:8], "little")) > min(size, _LARGEST_HEADER):
        raise CheckpointError(
            f"seems to be damaged: its header claims {length} bytes, but the file has {size}"
        )
    return _converted(_entry(load_file(stream.name), entry), _plain)


def _from_pickle(stream: io.BufferedReader, size: int) -> dict[str, np.ndarray]:
    tree = load_arrays(stream, size)
    for tensors in (flax_tensors(tree), caffe2_tensors(tree)):
        if tensors is not None:
            return tensors
    raise CheckpointError(
        "is neither a PyTorch (0.2 or newer) nor a safetensors file, but a pickle without Flax's "
        "'params' and without Caffe2's 'blobs'"
    )


def _entry(tree: Any, name: str | None) -> Any:
    """Selects what to search for tensors: the whole file, or one entry of it."""
    entries = tree if isinstance(tree, Mapping) else {}
    if name is None:
        averaged = [repr(short(key)) for key in entries if _AVERAGED.search(str(key))]
        averaged = averaged if any(key in entries for key in _STATE_DICT_KEYS) else []
        if averaged:
            logging.warning(
                "averaged weights are not read; the file also has %s", ", ".join(averaged[:20])
            )
        return tree
    if name not in entries:
        known = ", ".join(short(key) for key in list(entries)[:20])
        raise CheckpointError(f"has no entry {name!r}; it has {known}")
    return entries[name]


def _reader(read: Read) -> Callable[[Tensor], np.ndarray]:
    @functools.cache
    def storage(kind: str, key: str) -> np.ndarray:
        raw, dtype = read(key), np.dtype(DTYPES[kind])
        numbers = _plain(raw[: raw.nbytes // dtype.itemsize * dtype.itemsize].view(dtype))
        numbers.flags.writeable = False
        return numbers

    def numbers(at: Stored) -> np.ndarray:
        whole = storage(at.kind, at.key)
        if not 0 <= _count(at.start) <= at.start + _count(at.numel) <= len(whole):
            raise CheckpointError(
                f"its storage is truncated: it has {len(whole)} {at.kind} numbers, but a tensor "
                f"needs {at.start} + {at.numel}"
            )
        return whole[at.start : at.start + at.numel]

    # A seventh argument would mean that the numbers are stored negated, which is refused.
    def view(at: Any, offset: int, size: Any, stride: Any, _grad: Any = 0, _hooks: Any = 0) -> Any:
        block = numbers(at)
        _check_view(len(block), offset, size, stride)
        steps = [step * block.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(block[offset:], size, steps, writeable=False)

    return lambda tensor: view(*tensor.arguments)


def _count(number: Any) -> int:
    if type(number) is not int:
        raise CheckpointError(f"{short(number)!r} is not a whole number")
    return number


def _check_view(length: int, offset: Any, size: Any, stride: Any) -> None:
    """Refuses a view that leaves its storage of `length` numbers, or is much larger than it."""
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) > _MOST_AXES:
        raise CheckpointError("its size and strides are not short tuples of numbers")
    last = _count(offset) + sum(
        (_count(n) - 1) * _count(step) for n, step in zip(size, stride, strict=True)
    )
    if min((offset, *size, *stride)) < 0 or (0 not in size and last >= length):
        raise CheckpointError(
            f"offset {offset}, size {size} and stride {stride} reach outside of its storage"
        )
    if (count := math.prod(size)) > max(length, _REPEATED):
        raise CheckpointError(
            f"its size {size} has {count} numbers, but its storage only {length}: it is not read, "
            "because it would take more memory than the file holds"
        )


def _in_memory(tensor: Any) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    return _plain(np.array(tensor))  # a copy: the original may change later


def _plain(array: np.ndarray) -> np.ndarray:
    native = array.dtype.newbyteorder("=") if array.dtype.kind in "biu" else np.float32
    return array.astype(native, casting="same_kind", copy=False)


def _converted(tree: Any, convert: Callable[[Any], np.ndarray]) -> dict[str, np.ndarray]:
    tensors, arrays = _tensors(tree, depth=2), {}
    if not tensors:
        found = (
            short([short(key, 40) for key in list(tree)[:20]], 500)
            if isinstance(tree, Mapping)
            else f"a {type(tree).__name__}"
        )
        raise CheckpointError(f"has no tensors at its top or under {_STATE_DICT_KEYS}, but {found}")
    for name in tensors:
        if wrong := flaw(name):
            raise CheckpointError(f"has a tensor whose name {wrong}: {short(name)!r}")
    for name, tensor in _unwrapped(tensors).items():
        try:
            arrays[name] = convert(tensor)
        except Exception as error:
            why = short(error, 300)
            raise CheckpointError(f"has {name!r}, which cannot be read: {why}") from error
    return arrays


def _unwrapped(tensors: dict[str, Any]) -> dict[str, Any]:
    """Returns the tensors by the names that the network itself gives them."""
    while first := _WRAPPED.match(next(iter(tensors))):
        prefix = first[0]
        if not all(name.startswith(prefix) and name != prefix for name in tensors):
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _tensors(tree: Any, depth: int) -> dict[str, Any]:
    if depth < 0 or not isinstance(tree, Mapping):
        return {}
    inner = (_tensors(tree.get(key), depth - 1) for key in _STATE_DICT_KEYS)
    named = {k: v for k, v in tree.items() if isinstance(k, str)}
    outer = {
        k: v
        for k, v in named.items()
        if isinstance(v, (Tensor, np.ndarray, jax.Array)) or hasattr(v, "detach")
    }
    # a training state may also have tensors at its top level
    return next(filter(None, inner), outer)
