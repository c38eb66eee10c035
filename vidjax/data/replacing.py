"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A file to write that takes the place of `file` when the context ends without an error.

    Its name is its writer's own, so that two writers never share one. After an error it is removed.

    Raises:
      OSError: the folder cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield unfinished
        unfinished.replace(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(file)
        raise


@contextlib.contextmanager
def writing(file: Path) -> Iterator[IO[str]]:
    """A text file, such as a table, that appears when the context ends without an error.

    Names of files are bytes, of which not all are UTF-8: they are written as they are.

    Raises:
      OSError: the folder cannot be written.
    """
    with (
        replacing(file) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        yield stream


@contextlib.contextmanager
def reading(file: Path) -> Iterator[IO[str]]:
    """A text file that `writing` has written.

    Raises:
      OSError: it cannot be read.
    """
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        yield stream
