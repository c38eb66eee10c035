"""Sizes, times and identities of many files at once: a bucket is asked by listing it."""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.storage import buckets
from vidjax.storage.paths import as_path, is_url

# Requests at once: each of them mostly waits. A listing tells of a thousand objects at a time.
_AT_ONCE, _MANY = 32, 64


@dataclass(frozen=True)
class Facts:
    """What is known of a file without reading it.

    Attributes:
      size: in bytes.
      time_ns: of its last change, in nanoseconds since 1970, by its disk or store.
      identity: equal for two paths that lead to one file.
    """

    size: int
    time_ns: int
    identity: Hashable


def facts_of(root: Path, paths: Iterable[str]) -> dict[str, Facts | None]:
    """The facts of files.

    Args:
      root: folder that relative paths start from.
      paths: of the files, relative, absolute or URLs.

    Returns:
      Of each path its facts; None where no file is there.

    Raises:
      OSError: a file or the bucket must not be read.
    """
    paths = list(dict.fromkeys(paths))
    remote = [path for path in paths if is_url(path) or is_url(root)]
    known = _remote(root, remote) if remote else {}
    return {path: known[path] if path in known else _local(root / path) for path in paths}


def files_below(folder: Path) -> Iterator[tuple[str, Facts]]:
    """Path, relative to a folder of a bucket, and facts of each object below it, in order.

    Raises:
      BucketError: it cannot be listed.
    """
    with buckets.telling(folder):
        found = buckets.file_system(str(folder)).find(str(folder), detail=True)
    prefix = str(folder).split("://", 1)[1].rstrip("/") + "/"
    for name, about in sorted(found.items()):
        # Some tools put an empty object in the place of a folder.
        if about.get("type") == "file" and not name.endswith("/"):
            yield name.removeprefix(prefix), _facts(about, name)


def _local(file: Path) -> Facts | None:
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Facts(found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino))


def _remote(root: Path, paths: list[str]) -> dict[str, Facts | None]:
    below = [path for path in paths if not is_url(path)]
    known: dict[str, Facts | None] = {}
    if len(below) > _MANY:
        listed = dict(files_below(root))
        known = {path: listed.get(path) for path in below}
    asked = [path for path in paths if path not in known]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda path: _asked(root, path), asked)
        return known | dict(zip(asked, found, strict=True))


def _asked(root: Path, path: str) -> Facts | None:
    url = str(as_path(path) if is_url(path) else root / path)
    try:
        with buckets.telling(url):
            about = buckets.file_system(url).info(url)
    except FileNotFoundError:
        return None
    return _facts(about, url.split("://", 1)[1]) if about.get("type") == "file" else None


def _facts(about: dict[str, Any], name: str) -> Facts:
    changed: Any = about.get("mtime") or about.get("LastModified")
    time_ns = round(changed.timestamp() * 1e6) * 1000 if hasattr(changed, "timestamp") else 0
    return Facts(int(about.get("size") or 0), time_ns, name)
