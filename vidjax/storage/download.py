"""A large file or object, copied to this machine's own disk.

It comes in ranges, several at a time: one stream from a store is far slower than a network. What
arrived is compared with the size and the checksum that the store states.
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
from vidjax.storage.file_info import Facts
from vidjax.storage.paths import is_url
from vidjax.storage.writing import growing

# Bytes of a range, and ranges at once: a gigabit a second at 100 ms takes 12 MB on the way.
_RANGE, _AT_ONCE = 8 * 2**20, 8
# Seconds until a range is asked for again. The store's client has tried several times before.
_PAUSES = (5.0,)
# Of copies whose bytes arrive wrong.
_TRIES = 3


class ReplacedMeanwhileError(OSError):
    """A file is not the one any more that its folder was listed with."""


def fetch(source: Path, stored: Facts, file: Path) -> None:
    """Copies a file or an object into a file that is there.

    Args:
      source: to be copied.
      stored: what its folder told of it.
      file: on this machine; its content is replaced.

    Raises:
      ReplacedMeanwhileError: the source is another one than was listed.
      FileNotFoundError: the source is gone.
      BucketError: the source cannot be read, or bytes arrive wrong.
      OSError: this machine has no room.
    """
    for _ in range(_TRIES):
        if _copy(source, stored, file):
            return
        if _is_replaced(source, stored):
            raise ReplacedMeanwhileError(
                f"{source} was replaced since its folder was listed; start the same command again"
            )
    raise buckets.BucketError(
        f"{source} arrives with other bytes than the store says it has; when the network and the "
        "store are sound, the same command goes on"
    )


def _copy(source: Path, stored: Facts, file: Path) -> bool:
    """Whether what arrived is what the store says it has."""
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
    """The content from its beginning to its end, a few ranges of it on their way."""
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
    """Bytes `start` to `end`; fewer where the source is shorter."""
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
        with buckets.telling(url):
            content: bytes = buckets.file_system(url).cat_file(url, start=start, end=end)
        return content
    with source.open("rb") as stream:
        stream.seek(start)
        return stream.read(end - start)


def _is_replaced(source: Path, stored: Facts) -> bool:
    if is_url(source):
        return (buckets.version(str(source)) or "").strip('"') != stored.version
    facts = os.stat(source)
    return f"{facts.st_mtime_ns}-{facts.st_ino}" != stored.version


class _Checksum:
    """Of what arrives, where the store states one and the package that counts it is there."""

    def __init__(self, wanted: str) -> None:
        self._wanted, self._sum, self._module = wanted, 0, _crc32c()
        self.is_known = bool(wanted) and self._module is not None

    def add(self, content: bytes) -> None:
        if self.is_known:
            self._sum = self._module.extend(self._sum, content)

    def fits(self) -> bool:
        return base64.b64encode(self._sum.to_bytes(4, "big")).decode() == self._wanted


def _crc32c() -> Any:
    """It comes with gcsfs."""
    try:
        return importlib.import_module("google_crc32c")
    except ImportError:
        return None
