"""The videos below a folder, found in one walk: a look-up each would take hours on large sets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vidjax.data.manifest import VIDEO_SUFFIXES


def videos_below(folder: Path) -> Iterator[str]:
    """Paths of all videos, relative to `folder`; links to folders are followed.

    What begins with a dot is left out: macOS puts `._name` beside each name in its archives.
    """
    visited: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(here)
        folders[:] = [] if place in visited else [name for name in folders if name[0] != "."]
        if place in visited:
            continue
        visited.add(place)
        base = Path(here).relative_to(folder)
        for name in files:
            if name[0] != "." and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                yield (base / name).as_posix()


def videos_by_stem(folder: Path, *, prefer: str = "") -> dict[str, str]:
    """Paths of all videos by their names without folder and suffix.

    Args:
      folder: where to look.
      prefer: beginning of a folder's name; of several videos of one name, one that lies in such
        a folder is taken, else the first in the order of paths.
    """
    found: dict[str, str] = {}
    for path in sorted(videos_below(folder), key=lambda path: (not _within(path, prefer), path)):
        found.setdefault(PurePosixPath(path).stem, path)
    return found


def _within(path: str, prefer: str) -> bool:
    return bool(prefer) and any(part.startswith(prefer) for part in PurePosixPath(path).parts[:-1])
