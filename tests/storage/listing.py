"""What a folder holds, of a disk or of a bucket, in a form that can be compared."""

from __future__ import annotations

import re
from pathlib import Path

# Names that are drawn, or that say when and where a file was written.
_DRAWN = ((re.compile(r"\bd/[0-9a-f]{32}$"), "d/drawn"), (re.compile(r"events\.out\..*"), "events"))


def names(folder: Path) -> set[str]:
    """Names of all files below a folder, without what is drawn in them."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            for pattern, plain in _DRAWN:
                name = pattern.sub(plain, name)
            found.add(name)
    return found


def content(file: Path) -> bytes:
    """The bytes of a file."""
    return file.read_bytes()
