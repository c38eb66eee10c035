"""Stores results one by one, so that a command can continue where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from vidjax import records
from vidjax.storage.writing import appending, is_there, write_bytes

T = TypeVar("T", bound=msgspec.Struct)


class ResumableResults(Generic[T]):
    """A growing file of records, one JSON object per line.

    Args:
      file: the file; an interrupted command may have left it.
      kind: type of the records.
      key: returns the key of a record; a later record replaces one with the same key.

    Raises:
      RecordError: the file has other contents.
    """

    def __init__(self, file: Path, kind: type[T], key: Callable[[T], object]) -> None:
        self._key = key
        self._found: dict[object, T] = {}
        if is_there(file):
            way_out = "move it away, and the command measures again"
            for line in records.read_lines(file, way_out, kind):
                self._put(records.converted(line, kind))
            # A killed command may leave half a line, which would damage the next one.
            text = records.content(file, records.MOST_OF_TABLE)
            if not text.endswith(b"\n"):
                write_bytes(file, text[: text.rfind(b"\n") + 1])
        self._stream = appending(file)

    def __enter__(self) -> ResumableResults[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __contains__(self, key: object) -> bool:
        return key in self._found

    def __getitem__(self, key: object) -> T:
        return self._found[key]

    def __iter__(self) -> Iterator[T]:
        return iter(self._found.values())

    def add(self, record: T) -> None:
        """Stores a record; it need not be measured again, even if the command is killed now."""
        self._stream.write(msgspec.json.encode(record).decode() + "\n")
        self._stream.flush()
        self._put(record)

    def _put(self, record: T) -> None:
        self._found[self._key(record)] = record
