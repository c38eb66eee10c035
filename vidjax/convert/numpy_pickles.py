"""Reads pickles of NumPy arrays without running code from them.

It extends the pickle machine of `torch_pickles` by the functions with which NumPy pickles an array:
NumPy creates an empty array first, and sets its shape, dtype and bytes afterwards.
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
    """A dtype: its letter and size in bytes, and its byte order as the state."""

    def __init__(self, name: Any = None, *_copied: Any) -> None:
        self.name = name

    def dtype(self) -> np.dtype[Any]:
        """Returns the NumPy dtype."""
        if not isinstance(self.name, str) or not _NUMBERS.fullmatch(self.name):
            raise CheckpointError(f"holds {short(self.name)} numbers, which are not read")
        if self.state is not None and tuple(self.state)[1:2] == (">",):
            raise CheckpointError("holds big-endian numbers, which are not read")
        return np.dtype(self.name).newbyteorder("<")


class Array(Built):
    """An array whose state holds its shape, dtype and bytes."""

    def __init__(self, *_empty: Any) -> None:
        """Ignores the arguments with which NumPy creates the empty array."""

    def read(self) -> np.ndarray:
        """Returns the array, read-only.

        Raises:
          CheckpointError: the number of bytes does not match the shape, or there are no bytes.
        """
        match self.state:
            case (_version, tuple() as shape, _Numbers() as numbers, by_columns, bytes() | str()):
                dtype = numbers.dtype()
            case _:
                raise CheckpointError("seems to be damaged: an array in its pickle has no numbers")
        # Python 2, and pickle protocol 2, store bytes as text.
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
      stream: positioned at the beginning of the pickle.
      size: total number of bytes in the stream.

    Returns:
      The unpickled tree: dicts (only entries with text keys), lists, tuples, texts, numbers, bytes,
      `Array`, and a placeholder for everything else.

    Raises:
      CheckpointError: the pickle refers to other functions, is damaged, or is implausibly long.
    """
    return load(stream, size, _KNOWN)[0]


def _nothing(*_arguments: Any) -> Any:
    return Nothing


def _text(text: Any = None, *_encoding: Any) -> Any:
    """Returns bytes as protocol 2 stores them: text that an array reads as Latin-1."""
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
