"""Results that a command keeps as they come, so that it goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from vidjax import records
from vidjax.storage.writing import appending, is_there, write_bytes

T = TypeVar("T", bound=msgspec.Struct)


class Kept(Generic[T]):
    """Records of a kind, a line each in a file that grows.

    Args:
      file: it may be there, from a command that was interrupted.
      kind: of the records.
      key: what tells records apart; of two with the same one the later counts.

    Raises:
      RecordError: the file holds something else.
    """

    def __init__(self, file: Path, kind: type[T], key: Callable[[T], object]) -> None:
        self._key = key
        self._found: dict[object, T] = {}
        if is_there(file):
            way_out = "move it away, and the command measures anew"
            for line in records.read_lines(file, way_out, kind):
                self._put(records.converted(line, kind))
            # Half a line, which a kill leaves, would spoil the next one.
            text = records.content(file, records.MOST_OF_TABLE)
            if not text.endswith(b"\n"):
                write_bytes(file, text[: text.rfind(b"\n") + 1])
        self._stream = appending(file)

    def __enter__(self) -> Kept[T]:
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
        """Keeps a record; a command that is killed after this does not measure it again."""
        self._stream.write(msgspec.json.encode(record).decode() + "\n")
        self._stream.flush()
        self._put(record)

    def _put(self, record: T) -> None:
        self._found[self._key(record)] = record
