"""What is known of files without reading them; many of a bucket are asked for by one listing."""

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
      version: another one stands for another content.
      crc32c: the store's checksum of the content, as Cloud Storage writes it; empty where the store
        has none.
    """

    size: int
    time_ns: int
    identity: Hashable
    version: str
    crc32c: str = ""


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


def files_in(folder: Path) -> dict[str, Facts]:
    """The files of a folder by name, by one look; those in folders below it are left out.

    Raises:
      FileNotFoundError: there is no such folder.
      OSError: it cannot be listed.
    """
    if not is_url(folder):
        with os.scandir(folder) as entries:
            return {each.name: _of_disk(each.stat()) for each in entries if each.is_file()}
    with buckets.telling(folder):
        found = buckets.file_system(str(folder)).ls(str(folder), detail=True)
    return dict(_objects(folder, found))


def files_below(folder: Path) -> Iterator[tuple[str, Facts]]:
    """Path, relative to a folder of a bucket, and facts of each object below it, in order.

    Raises:
      BucketError: it cannot be listed.
    """
    with buckets.telling(folder):
        found = buckets.file_system(str(folder)).find(str(folder), detail=True)
    yield from sorted(_objects(folder, found.values()))


def _objects(folder: Path, found: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Facts]]:
    """The path of each object from its folder on, and its facts."""
    prefix = str(folder).split("://", 1)[1].rstrip("/") + "/"
    for about in found:
        # Some tools put an empty object in the place of a folder.
        if about.get("type") == "file" and not about["name"].endswith("/"):
            yield about["name"].removeprefix(prefix), _of_store(about)


def _local(file: Path) -> Facts | None:
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _of_disk(found) if stat.S_ISREG(found.st_mode) else None


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
    return _of_store(about) if about.get("type") == "file" else None


def _of_disk(found: os.stat_result) -> Facts:
    version = f"{found.st_mtime_ns}-{found.st_ino}"
    return Facts(found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino), version)


def _of_store(about: dict[str, Any]) -> Facts:
    changed: Any = about.get("mtime") or about.get("LastModified")
    time_ns = round(changed.timestamp() * 1e6) * 1000 if hasattr(changed, "timestamp") else 0
    version = str(about.get("generation") or about.get("ETag") or "").strip('"')
    size, crc32c = int(about.get("size") or 0), about.get("crc32c") or ""
    return Facts(size, time_ns, about["name"], version, crc32c)
