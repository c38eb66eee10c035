"""Reads pickles of NumPy arrays, and runs no code from them.

The machine is that of `pickles`. Here it knows how NumPy writes an array as well: an empty one is
made, and gets its shape, its type of number and its bytes afterwards.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np

from vidjax.convert.torch_pickles import (
    FUNCTIONS,
    Built,
    CheckpointError,
    Known,
    Nothing,
    load,
    short,
)

_NUMBERS = re.compile(r"[fiu][1248]|b1")
_MOST_AXES = 32


class _Numbers(Built):
    """A type of number: its letter and its bytes, and in the state their order."""

    def __init__(self, name: Any = None, *_copied: Any) -> None:
        self.name = name

    def dtype(self) -> np.dtype[Any]:
        """The same for NumPy."""
        if not isinstance(self.name, str) or not _NUMBERS.fullmatch(self.name):
            raise CheckpointError(f"holds {short(self.name)} numbers, which are not read")
        if self.state is not None and tuple(self.state)[1:2] == (">",):
            raise CheckpointError("holds big-endian numbers, which are not read")
        return np.dtype(self.name).newbyteorder("<")


class Array(Built):
    """An array: its state has its shape, its type of number and its bytes."""

    def __init__(self, *_empty: Any) -> None:
        """Takes what NumPy makes an empty array of."""

    def read(self) -> np.ndarray:
        """The array, read-only.

        Raises:
          CheckpointError: its bytes are not as many as its shape says, or it has none.
        """
        match self.state:
            case (_version, tuple() as shape, _Numbers() as numbers, by_columns, bytes() | str()):
                dtype = numbers.dtype()
            case _:
                raise CheckpointError("seems to be damaged: an array in its pickle has no numbers")
        # Python 2, and protocol 2, have bytes as texts.
        data = self.state[-1]
        data = data.encode("latin1") if isinstance(data, str) else data
        if not _is(shape) or math.prod(shape) * dtype.itemsize != len(data):
            raise CheckpointError(
                f"seems to be damaged: an array of shape {short(shape)} has {len(data)} bytes"
            )
        return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns is True else "C")


def _is(shape: tuple[Any, ...]) -> bool:
    return len(shape) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in shape)


def load_arrays(stream: io.BufferedIOBase, size: int) -> Any:
    """Runs one pickle.

    Args:
      stream: stands at its beginning.
      size: bytes that the stream has in all.

    Returns:
      What it makes, of dicts with the keys that are texts, lists, tuples, texts, numbers, bytes,
      `Array` and what stands for all else.

    Raises:
      CheckpointError: it names other things, is damaged, or longer than any checkpoint's.
    """
    return load(stream, size, _KNOWN)[0]


def _nothing(*_arguments: Any) -> Any:
    return Nothing


def _text(text: Any = None, *_encoding: Any) -> Any:
    """Bytes, as protocol 2 has them: a text that an array reads as Latin-1."""
    return text if isinstance(text, str) else Nothing


_KNOWN = Known(
    {
        "_codecs.encode": _text,
        "collections.OrderedDict": FUNCTIONS["collections.OrderedDict"],
        "numpy.ndarray": _nothing,
        "numpy.dtype": _Numbers,
        "numpy.core.multiarray._reconstruct": Array,
        "numpy._core.multiarray._reconstruct": Array,
    },
    octets=True,
)
