"""Lists folders of a disk or a bucket, so that tests can compare them."""

from __future__ import annotations

import re
from pathlib import Path

# Names that are random, or contain the time or place of writing.
_DRAWN = ((re.compile(r"\bd/[0-9a-f]{32}$"), "d/drawn"), (re.compile(r"events\.out\..*"), "events"))


def names(folder: Path) -> set[str]:
    """Returns the names of all files below a folder, without their random parts."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            for pattern, plain in _DRAWN:
                name = pattern.sub(plain, name)
            found.add(name)
    return found


def content(file: Path) -> bytes:
    """Returns the content of a file."""
    return file.read_bytes()
