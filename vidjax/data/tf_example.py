"""Reads records in TFDS's format: `tf.train.Example`, a message of named lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class Example:
    """One record: lists of values by feature name.

    Args:
      content: the record's bytes.

    Raises:
      DecodeError: the bytes are not a `tf.train.Example`; raised by Protocol Buffers.
    """

    def __init__(self, content: bytes) -> None:
        from tensorflow_datasets.proto import tf_example_pb2

        self._lists = tf_example_pb2.Example.FromString(content).features.feature

    def texts(self, name: str) -> Sequence[bytes]:
        """Returns a list of strings or encoded images, at least one.

        Raises:
          ValueError: the list is missing or empty.
        """
        found: list[bytes] = list(self._list(name).bytes_list.value)
        if not found:
            raise ValueError(f"{name!r} is missing")
        return found

    def whole(self, name: str) -> int:
        """Returns an integer.

        Raises:
          ValueError: it is missing.
        """
        (value,) = self._list(name).int64_list.value or (None,)
        if value is None:
            raise ValueError(f"{name!r} is missing")
        return int(value)

    def wholes(self, name: str) -> tuple[int, ...]:
        """Returns a list of integers, which may be empty."""
        return tuple(self._list(name).int64_list.value)

    def text(self, name: str) -> str:
        """Returns a string.

        Raises:
          ValueError: it is missing, or not UTF-8.
        """
        return self.texts(name)[0].decode()

    def real(self, name: str, otherwise: float = math.nan) -> float:
        """Returns a positive number, or `otherwise` if it is missing.

        Raises:
          ValueError: the number is not positive or not finite.
        """
        (value,) = self._list(name).float_list.value or (otherwise,)
        if not 0 < value < math.inf:
            raise ValueError(f"{name!r} is {value}")
        return float(value)

    def _list(self, name: str) -> Any:
        """Returns the feature's message, which is empty if the feature is missing."""
        return self._lists[name]
