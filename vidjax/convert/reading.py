"""Reads the tensors of a PyTorch checkpoint without PyTorch, and runs no code from the file.

A checkpoint is a pickle, which may call any function that it names. Here it reaches only classes
that keep or forget their arguments; their `__setstate__` lets no file set attributes on them.
"""

import functools
import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import jax
import ml_dtypes  # noqa: F401 - names bfloat16 to NumPy, which safetensors needs as well
import numpy as np
from absl import logging
from safetensors.numpy import load_file

_DTYPES = {
    **{"Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8", "Bool": "?"},
    **{"Half": "<f2", "BFloat16": "bfloat16", "Float": "<f4", "Double": "<f8", "Untyped": "u1"},
}
_FORGOTTEN = re.compile(r"""(?x)
    torch\.(device|bool|half|float|double|short|int|long|b?float\d+|q?u?int\d+|complex\d+)
    | numpy\.(dtype|ndarray) | numpy\._?core\.multiarray\.(scalar|_reconstruct)
    | argparse\.Namespace | collections\.defaultdict | _codecs\.encode
    | (builtins|__builtin__)\.(dict|float|int|list|long|set)  # factories of a defaultdict""")
_STATE_DICT_KEYS = ("state_dict", "model_state", "model_state_dict", "model")
# Running averages of the weights, which some projects score with.
_AVERAGED = re.compile(r"(?i)(^|_)(ema|averaged?|swa)(_|$)|module_ema")


class CheckpointError(ValueError):
    """A file is no PyTorch checkpoint, is damaged, or asks for more than its tensors."""


class _Forgotten:
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    __setitem__ = __setstate__ = __init__


class _Rebuilt(_Forgotten):
    def __init__(self, *args: Any) -> None:
        self.args = args


class _Dict(dict[Any, Any]):
    __setstate__ = _Forgotten.__setstate__


_KEPT = {"collections.OrderedDict": _Dict, "torch.Size": tuple} | {
    f"torch._utils._rebuild_{kind}": _Rebuilt for kind in ("tensor", "tensor_v2", "parameter")
}
_TENSORS = (_Rebuilt, np.ndarray, jax.Array)


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BufferedIOBase) -> None:
        super().__init__(stream, encoding="latin1")  # takes the binary strings of Python 2 too
        self.item_sizes: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if storage := re.fullmatch(r"torch\.(?:storage\._?)?(\w+)Storage", wanted):
            return storage[1]
        if wanted in _KEPT or _FORGOTTEN.fullmatch(wanted):
            return _KEPT.get(wanted, _Forgotten)
        raise CheckpointError(
            f"asks to run '{wanted}' on loading: only tensors are read. If you trust it, load it "
            "with PyTorch and save its state_dict anew"
        )

    def persistent_load(self, pid: Any) -> tuple[str, str, int, int]:
        _storage, kind, key, _location, numel, *view = pid
        if kind not in _DTYPES:
            raise CheckpointError(f"holds {kind} numbers; complex and quantised ones are not read")
        self.item_sizes.setdefault(key, np.dtype(_DTYPES[kind]).itemsize)  # the first one counts
        _view_key, start, numel = view[0] if any(view) else (None, 0, numel)
        return kind, key, start, numel


def read_tensors(
    source: str | os.PathLike[str] | Mapping[str, Any], entry: str | None = None
) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint, by name; what else it holds is dropped.

    Args:
      source: file of `torch.save` or safetensors; or a mapping of PyTorch, NumPy or JAX arrays. The
        state dict is all of it or lies, at most two deep, under `state_dict`, `model_state`,
        `model_state_dict` or `model`. A `module.` before every name (DataParallel) is taken off.
      entry: name of another entry of the file to read, such as `state_dict_ema`. None reads the
        usual one, and logs a warning that names averaged weights beside it.

    Returns:
      Floats as float32, the rest as it is; from `torch.save`, read-only and sharing memory.

    Raises:
      FileNotFoundError: there is no such file.
      CheckpointError: it is something else, is damaged, has no state dict or no such entry, or
        would run code.
    """
    try:
        if isinstance(source, Mapping):
            return _converted(_entry(source, entry), _in_memory)
        with open(source, "rb") as stream:
            return _from_file(stream, entry)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # damaged bytes make the parsers raise nearly anything
        why = error if isinstance(error, CheckpointError) else f"seems to be damaged: {error!r}"
        name = "the mapping" if isinstance(source, Mapping) else source
        raise CheckpointError(f"{name} {why}") from error


def _from_file(stream: io.BufferedReader, entry: str | None) -> dict[str, np.ndarray]:
    head = stream.peek(512)
    if head.startswith(b"PK"):
        return _from_zip(stream, entry)
    if pickle.encode_long(0x1950A86A20F9469CFC6C) in head[:32]:
        return _from_legacy(stream, entry)
    if head[8:9] != b"{":
        kind = "a tar file (PyTorch 0.1?)" if head[257:262] == b"ustar" else f"{head[:12]!r}..."
        raise CheckpointError(f"is neither a PyTorch (0.2 or newer) nor a safetensors file: {kind}")
    return _converted(_entry(load_file(stream.name), entry), _in_memory)


def _from_zip(stream: io.BufferedReader, entry: str | None) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(stream) as archive:
        compressed = {entry.filename: entry.compress_type for entry in archive.infolist()}
        root = next((n[: -len("data.pkl")] for n in compressed if n.endswith("/data.pkl")), None)
        if root is None or any(compressed.values()):  # which could grow without limit
            raise CheckpointError("is a zip file, but torch.save did not write it")
        if f"{root}byteorder" in compressed and archive.read(f"{root}byteorder") != b"little":
            raise CheckpointError("is big-endian: save it anew on a little-endian machine")
        tree = _Unpickler(io.BytesIO(archive.read(f"{root}data.pkl"))).load()
        return _converted(
            _entry(tree, entry), _reader(lambda key: archive.read(f"{root}data/{key}"))
        )


def _from_legacy(stream: io.BufferedReader, entry: str | None) -> dict[str, np.ndarray]:
    _magic, _protocol, _system = (_Unpickler(stream).load() for _ in range(3))
    unpickler, blocks = _Unpickler(stream), {}
    tree = unpickler.load()
    for key in _Unpickler(stream).load():
        length = int(np.frombuffer(stream.read(8), "<i8")[0]) * unpickler.item_sizes[key]
        blocks[key] = stream.read(length)
        if len(blocks[key]) != length:
            raise CheckpointError(f"is truncated: {len(blocks[key])} of {length} bytes of {key}")
    return _converted(_entry(tree, entry), _reader(blocks.__getitem__))


def _entry(tree: Any, name: str | None) -> Any:
    """What to look for tensors in: the whole file, or one entry of it."""
    entries = tree if isinstance(tree, Mapping) else {}
    if name is None:
        averaged = [repr(key) for key in entries if _AVERAGED.search(str(key))]
        averaged = averaged if any(key in entries for key in _STATE_DICT_KEYS) else []
        if averaged:
            logging.warning(
                "averaged weights are not read: the file has %s too", ", ".join(averaged)
            )
        return tree
    if name not in entries:
        known = ", ".join(str(key) for key in list(entries)[:20])
        raise CheckpointError(f"has no entry {name!r}; it has {known}")
    return entries[name]


def _reader(read: Callable[[str], bytes]) -> Callable[[_Rebuilt], np.ndarray]:
    @functools.cache
    def block(kind: str, key: str, start: int, numel: int) -> np.ndarray:
        raw, dtype = read(key), np.dtype(_DTYPES[kind])
        if not 0 <= start <= start + numel <= len(raw) // dtype.itemsize:
            raise CheckpointError(f"its storage is truncated: {len(raw)} bytes for {numel} {dtype}")
        return _plain(np.frombuffer(raw, dtype, start + numel)[start:])

    # A seventh argument would say that the numbers are stored negated: it is refused.
    def view(at: Any, offset: int, size: Any, stride: Any, _grad: Any = 0, _hooks: Any = 0) -> Any:
        numbers = block(*at)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if min((offset, *size, *stride)) < 0 or (0 not in size and last >= len(numbers)):
            raise CheckpointError(f"offset {offset}, size {size}, stride {stride} leave a storage")
        steps = [step * numbers.itemsize for step in stride]  # no copy: repeats take no memory
        return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps, writeable=False)

    return lambda tensor: view(*getattr(tensor.args[0], "args", tensor.args))  # of a parameter


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
        found = list(tree)[:20] if isinstance(tree, Mapping) else f"a {type(tree).__name__}"
        raise CheckpointError(f"has no tensors at its top or under {_STATE_DICT_KEYS}, but {found}")
    while all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        try:
            arrays[name] = convert(tensor)
        except Exception as error:
            raise CheckpointError(f"has {name!r}, which cannot be read: {error}") from error
    return arrays


def _tensors(tree: Any, depth: int) -> dict[str, Any]:
    if depth < 0 or not isinstance(tree, Mapping):
        return {}
    inner = (_tensors(tree.get(key), depth - 1) for key in _STATE_DICT_KEYS)
    named = {k: v for k, v in tree.items() if isinstance(k, str)}
    outer = {k: v for k, v in named.items() if isinstance(v, _TENSORS) or hasattr(v, "detach")}
    return next(filter(None, inner), outer)  # a training state may have tensors on top as well
