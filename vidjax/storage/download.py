"""Downloads a large file or object to this machine's disk.

It is read in several ranges concurrently, because a single stream from a store is far slower than
the network. The result is compared with the size and checksum that the store states.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vidjax.storage import buckets
from vidjax.storage.file_info import FileInfo
from vidjax.storage.paths import is_url
from vidjax.storage.writing import growing

# Bytes of a range, and concurrent ranges: 1 Gbit/s at 100 ms latency needs 12 MB in flight.
_RANGE, _AT_ONCE = 8 * 2**20, 8
# Seconds before a range is requested again. The store's client has retried several times before.
_PAUSES = (5.0,)
# Attempts if the bytes arrive corrupted.
_TRIES = 3


class ReplacedMeanwhileError(OSError):
    """A file was replaced since its folder was listed."""


def fetch(source: Path, stored: FileInfo, file: Path) -> None:
    """Copies a file or an object into an existing local file.

    Args:
      source: the file or object to copy.
      stored: its metadata from the listing of its folder.
      file: local file whose content is replaced.

    Raises:
      ReplacedMeanwhileError: the source was replaced since it was listed.
      FileNotFoundError: the source is gone.
      BucketError: the source cannot be read, or its bytes arrive corrupted.
      OSError: the local disk is full.
    """
    for _ in range(_TRIES):
        if _copy(source, stored, file):
            return
        if _is_replaced(source, stored):
            raise ReplacedMeanwhileError(
                f"{source} was replaced since its folder was listed; run the same command again"
            )
    raise buckets.BucketError(
        f"{source} arrives corrupted: its bytes do not match the store's checksum. Check the "
        "network and run the same command again: it resumes"
    )


def _copy(source: Path, stored: FileInfo, file: Path) -> bool:
    """Copies the source; returns whether the result matches the store's size and checksum."""
    total, checksum = 0, _Checksum(stored.crc32c)
    with growing(file) as stream:
        stream.seek(0)
        for content in _ranges(source, stored.size):
            stream.write(content)
            checksum.add(content)
            total += len(content)
        stream.truncate()
    if checksum.is_known:
        return total == stored.size and checksum.fits()
    return total == stored.size and not _is_replaced(source, stored)


def _ranges(source: Path, size: int) -> Iterator[bytes]:
    """Yields the content in order, with a few ranges requested ahead."""
    coming: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
        try:
            for start in range(0, size, _RANGE):
                coming.append(pool.submit(_range, source, start, min(start + _RANGE, size)))
                if len(coming) == _AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for each in coming:
                each.cancel()


def _range(source: Path, start: int, end: int) -> bytes:
    """Reads bytes `start` to `end`; returns fewer if the source is shorter."""
    for pause in _PAUSES:
        with contextlib.suppress(buckets.BucketError):
            content = _read(source, start, end)
            if len(content) == end - start:
                return content
        time.sleep(pause)
    return _read(source, start, end)


def _read(source: Path, start: int, end: int) -> bytes:
    if is_url(source):
        url = str(source)
        with buckets.bucket_errors(url):
            content: bytes = buckets.file_system(url).cat_file(url, start=start, end=end)
        return content
    with source.open("rb") as stream:
        stream.seek(start)
        return stream.read(end - start)


def _is_replaced(source: Path, stored: FileInfo) -> bool:
    if is_url(source):
        return (buckets.version(str(source)) or "").strip('"') != stored.version
    facts = os.stat(source)
    return f"{facts.st_mtime_ns}-{facts.st_ino}" != stored.version


class _Checksum:
    """CRC-32C of the received bytes, if the store states one and its package is installed."""

    def __init__(self, wanted: str) -> None:
        self._wanted, self._sum, self._module = wanted, 0, _crc32c()
        self.is_known = bool(wanted) and self._module is not None

    def add(self, content: bytes) -> None:
        if self.is_known:
            self._sum = self._module.extend(self._sum, content)

    def fits(self) -> bool:
        return base64.b64encode(self._sum.to_bytes(4, "big")).decode() == self._wanted


def _crc32c() -> Any:
    """Imports google_crc32c, which gcsfs installs; None if it is missing."""
    try:
        return importlib.import_module("google_crc32c")
    except ImportError:
        return None
