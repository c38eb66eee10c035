"""Checks whether processes mean the same folder, whatever path each of them uses.

Paths alone do not tell: a link is another name of a folder, and the same name on another machine
may be another folder. So process 0 puts a temporary file there, and the others look for it. For a
folder that does not exist yet, the nearest existing parent and the remaining names count. URLs of
buckets are the same everywhere, so they are compared as they are.
"""

from __future__ import annotations

import contextlib
import platform
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.run import process_messages
from vidjax.storage.paths import is_url
from vidjax.storage.writing import PART, new

# Seconds until a shared disk shows what another machine has just written.
_SHOWN_WITHIN = 10.0


class _Mark(msgspec.Struct):
    """The temporary file of process 0: its folder, the names below it, and the file's name."""

    folder: str
    names: list[str] = []
    # Empty for a folder in a bucket.
    file: str = ""


@contextlib.contextmanager
def folder_identity(folder: Path) -> Iterator[str]:
    """Yields a text for `folder` that is equal in all processes that mean the same folder.

    It must be compared while the context is open. For a bucket it is the URL.

    Args:
      folder: it need not exist.
    """
    key = process_messages.next_key("one folder")
    if process_messages.process_group().index:
        text = process_messages.wait(
            lambda: process_messages.get_text(key),
            process_messages.process_group().timeout,
            lambda: "process 0 did not say which folder it means",
        )
        mark = records.parsed(text, _Mark)
        if is_url(folder):
            yield str(folder)
            return
        yield mark.folder if _is_there(folder, mark) else f"another folder, {_in_words(folder)}"
        return
    if is_url(folder):
        process_messages.set_text(key, msgspec.json.encode(_Mark(str(folder))).decode())
        yield str(folder)
        return
    place = folder.resolve()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    names = list(folder.resolve().relative_to(place).parts)
    mark = _Mark(_in_words(folder), names, f".meeting-{secrets.token_hex(8)}{PART}")
    try:
        with new(place / mark.file):
            pass
        process_messages.set_text(key, msgspec.json.encode(mark).decode())
        yield mark.folder
    finally:
        (place / mark.file).unlink(missing_ok=True)


def _is_there(folder: Path, mark: _Mark) -> bool:
    place = folder.resolve()
    if not mark.file:
        return False
    for name in reversed(mark.names):
        if place.name != name:
            return False
        place = place.parent
    with contextlib.suppress(process_messages.AbsentError):
        process_messages.wait(
            lambda: (place / mark.file).exists() or None,
            min(_SHOWN_WITHIN, process_messages.process_group().timeout),
            lambda: "not there",
        )
        return True
    return False


def _in_words(folder: Path) -> str:
    return f"{folder} on {platform.node()}"
