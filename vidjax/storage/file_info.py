"""Gets size, time and version of files without reading them, with few requests to a bucket."""

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

# Concurrent requests, and the number of files above which a listing needs fewer requests.
_AT_ONCE, _MANY = 32, 64


@dataclass(frozen=True)
class FileInfo:
    """Metadata of a file.

    Attributes:
      size: size in bytes.
      time_ns: modification time in nanoseconds since 1970, by the clock of the disk or store.
      identity: equal for two paths to the same file.
      version: changes when the content changes.
      crc32c: the store's checksum of the content, in the format of Cloud Storage; empty if the
        store has none.
    """

    size: int
    time_ns: int
    identity: Hashable
    version: str
    crc32c: str = ""


def file_infos(root: Path, paths: Iterable[str]) -> dict[str, FileInfo | None]:
    """Gets the metadata of files.

    Args:
      root: folder that relative paths start from.
      paths: paths of the files, relative, absolute or URLs.

    Returns:
      The metadata of each file by path; None if there is no file.

    Raises:
      OSError: a file or the bucket cannot be read.
    """
    paths = list(dict.fromkeys(paths))
    remote = [path for path in paths if is_url(path) or is_url(root)]
    known = _remote(root, remote) if remote else {}
    return {path: known[path] if path in known else _local(root / path) for path in paths}


def files_in(folder: Path) -> dict[str, FileInfo]:
    """Lists the files of a folder, without its subfolders; returns their metadata by name.

    Raises:
      FileNotFoundError: there is no such folder.
      OSError: the folder cannot be listed.
    """
    if not is_url(folder):
        with os.scandir(folder) as entries:
            return {each.name: _of_disk(each.stat()) for each in entries if each.is_file()}
    with buckets.bucket_errors(folder):
        found = buckets.file_system(str(folder)).ls(str(folder), detail=True)
    return dict(_objects(folder, found))


def files_below(folder: Path) -> Iterator[tuple[str, FileInfo]]:
    """Yields the relative path and metadata of each object below a folder of a bucket, in order.

    Raises:
      BucketError: the folder cannot be listed.
    """
    with buckets.bucket_errors(folder):
        found = buckets.file_system(str(folder)).find(str(folder), detail=True)
    yield from sorted(_objects(folder, found.values()))


def _objects(folder: Path, found: Iterable[dict[str, Any]]) -> Iterator[tuple[str, FileInfo]]:
    """Yields the path of each object, relative to the folder, and its metadata."""
    prefix = str(folder).split("://", 1)[1].rstrip("/") + "/"
    for about in found:
        # Some tools create an empty object for a folder.
        if about.get("type") == "file" and not about["name"].endswith("/"):
            yield about["name"].removeprefix(prefix), _of_store(about)


def _local(file: Path) -> FileInfo | None:
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _of_disk(found) if stat.S_ISREG(found.st_mode) else None


def _remote(root: Path, paths: list[str]) -> dict[str, FileInfo | None]:
    below = [path for path in paths if not is_url(path)]
    known: dict[str, FileInfo | None] = {}
    if len(below) > _MANY:
        listed = dict(files_below(root))
        known = {path: listed.get(path) for path in below}
    asked = [path for path in paths if path not in known]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda path: _asked(root, path), asked)
        return known | dict(zip(asked, found, strict=True))


def _asked(root: Path, path: str) -> FileInfo | None:
    url = str(as_path(path) if is_url(path) else root / path)
    try:
        with buckets.bucket_errors(url):
            about = buckets.file_system(url).info(url)
    except FileNotFoundError:
        return None
    return _of_store(about) if about.get("type") == "file" else None


def _of_disk(found: os.stat_result) -> FileInfo:
    version = f"{found.st_mtime_ns}-{found.st_ino}"
    return FileInfo(found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino), version)


def _of_store(about: dict[str, Any]) -> FileInfo:
    changed: Any = about.get("mtime") or about.get("LastModified")
    time_ns = round(changed.timestamp() * 1e6) * 1000 if hasattr(changed, "timestamp") else 0
    version = str(about.get("generation") or about.get("ETag") or "").strip('"')
    size, crc32c = int(about.get("size") or 0), about.get("crc32c") or ""
    return FileInfo(size, time_ns, about["name"], version, crc32c)
