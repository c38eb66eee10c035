"""Records as TFDS writes them: `tf.train.Example`, a message of named lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class Example:
    """The lists of one record, by name.

    Args:
      content: the record's bytes.

    Raises:
      DecodeError: of Protocol Buffers; the bytes are no such message.
    """

    def __init__(self, content: bytes) -> None:
        from tensorflow_datasets.proto import tf_example_pb2

        self._lists = tf_example_pb2.Example.FromString(content).features.feature

    def texts(self, name: str) -> Sequence[bytes]:
        """Texts or pictures, at least one.

        Raises:
          ValueError: there are none.
        """
        found: list[bytes] = list(self._list(name).bytes_list.value)
        if not found:
            raise ValueError(f"{name!r} is absent")
        return found

    def whole(self, name: str) -> int:
        """A whole number.

        Raises:
          ValueError: it is absent.
        """
        (value,) = self._list(name).int64_list.value or (None,)
        if value is None:
            raise ValueError(f"{name!r} is absent")
        return int(value)

    def wholes(self, name: str) -> tuple[int, ...]:
        """Whole numbers, or none."""
        return tuple(self._list(name).int64_list.value)

    def text(self, name: str) -> str:
        """A text.

        Raises:
          ValueError: it is absent, or no UTF-8.
        """
        return self.texts(name)[0].decode()

    def real(self, name: str, otherwise: float = math.nan) -> float:
        """A positive number; `otherwise` where it is absent.

        Raises:
          ValueError: it is not positive, or not finite.
        """
        (value,) = self._list(name).float_list.value or (otherwise,)
        if not 0 < value < math.inf:
            raise ValueError(f"{name!r} is {value}")
        return float(value)

    def _list(self, name: str) -> Any:
        """Empty where there is none."""
        return self._lists[name]
