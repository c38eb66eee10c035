"""A local cache of large files: shards of data sets in a bucket, copied to this machine's disk.

The processes of a machine share the cache folder. One process copies a file, and the others wait
for it. A copy appears when it is complete. Its name is unique to the source and its version, so a
replaced source is copied again. To make room, the least recently read copies are removed, but never
one that is being read. A killed process leaves an unfinished copy, which the next one removes.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidjax.storage.bucket_cache import BucketCache
from vidjax.storage.download import fetch
from vidjax.storage.file_info import FileInfo
from vidjax.storage.file_locks import FileLock
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.writing import PART, growing, make_folder, replacing

# Files that this process keeps open while nobody reads them; opening one takes 0.2 ms.
_IDLE = 16
# Concurrent prefetches, and seconds that a reader waits for room.
_AHEAD, _PATIENCE = 2, 60.0
_LOCK = ".lock"
_SHARE = 0.9


def home() -> Path:
    """Returns the default cache folder, `~/.cache/vidjax/shards`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidjax" / "shards"


@functools.cache
def shard_cache(folder: str = "", gigabytes: float | None = None) -> ShardCache:
    """Returns the process' shard cache, the same one for all readers with the same arguments.

    Args:
      folder: local cache folder; empty is `home()`. A URL is a cache in a nearby bucket, which all
        machines share. Each machine then copies what it reads from there to `home()`.
      gigabytes: size limit of the local cache; None is nine tenths of the free space.

    Raises:
      OSError: the folder cannot be created, or the bucket cannot be written.
    """
    limit = None if gigabytes is None else round(gigabytes * 1e9)
    if is_url(folder):
        return ShardCache(home(), limit, BucketCache(as_path(folder)))
    return ShardCache(as_path(folder) if folder else home(), limit)


class _NoRoomError(Exception):
    """There is no room, because all copies are being read."""


@dataclass
class _Opened:
    """A copy that is open or about to be opened."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    reader: Any = None
    held: FileLock | None = None

    def close(self) -> None:
        if self.reader is not None:
            # A reader that has met damage raises the error again.
            with contextlib.suppress(Exception):
                self.reader.close()
        if self.held is not None:
            self.held.close()


class ShardCache:
    """A cache folder. Threads and processes may share it.

    Args:
      folder: folder on a local disk; created if it does not exist.
      limit: total size of the copies in bytes; None is nine tenths of the free space.
      near: cache in a nearby bucket that other machines also use.

    Raises:
      OSError: the folder cannot be created.
    """

    def __init__(
        self, folder: Path, limit: int | None = None, near: BucketCache | None = None
    ) -> None:
        self.folder, self.near = make_folder(folder), near
        if limit is None:
            limit = int(_SHARE * shutil.disk_usage(folder).free) + self._used()
        self.limit = limit
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._mutex = threading.Lock()
        self._expected: deque[tuple[Path, FileInfo]] = deque()
        self._ahead = 0

    def check(self, source: Path, stored: FileInfo) -> None:
        """Refuses a file that is larger than the whole cache.

        Raises:
          ValueError: names the file, the limit and the fix.
        """
        if stored.size > self.limit:
            raise ValueError(
                f"the cache {self.folder} is limited to {self.limit / 1e9:.3g} GB, but {source} "
                f"alone has {stored.size / 1e9:.3g} GB: set data.cache_gb to "
                f"{1.01 * stored.size / 1e9:.3g} or more, or data.cache_dir to a larger disk"
            )

    @contextlib.contextmanager
    def reading(
        self, source: Path, stored: FileInfo, opener: Callable[[str], Any]
    ) -> Iterator[Any]:
        """Opens a copy. It is not removed while the context is open.

        Args:
          source: the file or object.
          stored: its metadata from the listing of its folder.
          opener: opens the path of the copy; its result, which needs a method `close`, is yielded.

        Raises:
          ReplacedMeanwhileError: the source was replaced since it was listed.
          ValueError: the file does not fit into the cache, or only if copies were removed that are
            being read.
          OSError: the source cannot be read, or the copy cannot be written.
        """
        self.check(source, stored)
        name = _name(source, stored)
        with self._mutex:
            opened = self._opened.setdefault(name, _Opened())
            self._opened.move_to_end(name)
            opened.users += 1
        try:
            with opened.lock:
                if opened.reader is None:
                    held = self._held(source, stored, patient=True)
                    try:
                        opened.reader = opener(str(self.folder / name))
                    except BaseException:
                        held.close()
                        raise
                    opened.held = held
            yield opened.reader
        finally:
            with self._mutex:
                opened.users -= 1
                # Forget a copy that could not be opened; close a dropped copy after its last user.
                if opened.reader is None and self._opened.get(name) is opened:
                    del self._opened[name]
                if self._opened.get(name) is not opened and not opened.users:
                    opened.close()
            self._close_idle(_IDLE)

    def drop(self, source: Path, stored: FileInfo) -> None:
        """Removes a damaged copy. Current readers keep their open file."""
        name = _name(source, stored)
        with self._mutex:
            opened = self._opened.pop(name, None)
            if opened is not None and not opened.users:
                opened.close()
        (self.folder / name).unlink(missing_ok=True)

    def expect(self, source: Path, stored: FileInfo) -> None:
        """Copies a file in the background, if there is room. Failures are ignored."""
        with self._mutex:
            there = (self.folder / _name(source, stored)).exists()
            if there or stored.size > self.limit or (source, stored) in self._expected:
                return
            self._expected.append((source, stored))
            if self._ahead == _AHEAD:
                return
            self._ahead += 1
        threading.Thread(target=self._copy_ahead, name="shards ahead", daemon=True).start()

    def close(self) -> None:
        """Closes the open files that nobody reads. The copies stay."""
        self._close_idle(0)

    def _copy_ahead(self) -> None:
        while True:
            with self._mutex:
                if not self._expected:
                    self._ahead -= 1
                    return
                source, stored = self._expected.popleft()
            # A reader will get the same error. Threads cannot be started while a process exits.
            with contextlib.suppress(OSError, RuntimeError, _NoRoomError):
                self._held(source, stored, patient=False).close()

    def _held(self, source: Path, stored: FileInfo, *, patient: bool) -> FileLock:
        """Copies a file if needed; returns the shared lock of the complete copy."""
        name = _name(source, stored)
        file, lock = self.folder / name, FileLock(self.folder / f"{name}{_LOCK}")
        try:
            while True:
                lock.share()
                if file.exists():
                    os.utime(file)
                    return lock
                lock.own()
                # Another process may have copied it in the meantime.
                if not file.exists():
                    self._copy(source, stored, file, patient)
        except BaseException:
            lock.close()
            raise

    def _copy(self, source: Path, stored: FileInfo, file: Path, patient: bool) -> None:
        for part in self.folder.glob(f"{file.name}.*{PART}"):
            part.unlink(missing_ok=True)
        with replacing(file) as part:
            self._reserve(part, stored.size, patient)
            if self.near is None:
                fetch(source, stored, part)
            else:
                self.near.fetch(file.name, source, stored, part)

    def _reserve(self, part: Path, size: int, patient: bool) -> None:
        """Allocates the full size of an unfinished copy, within the limit.

        Raises:
          ValueError: all copies have been in use for too long.
          OSError: the disk is full.
        """
        began = time.monotonic()
        while not self._has_reserved(part, size):
            self._close_idle(0)
            if self._has_reserved(part, size):
                return
            if not patient:
                raise _NoRoomError
            if time.monotonic() - began > _PATIENCE:
                raise ValueError(
                    f"the cache {self.folder} is limited to {self.limit / 1e9:.3g} GB, and all its "
                    "copies are being read at once: raise data.cache_gb"
                )
            time.sleep(0.1)

    def _has_reserved(self, part: Path, size: int) -> bool:
        # One process at a time, so that all see the same sizes.
        with FileLock(self.folder / _LOCK) as lock:
            lock.own()
            if not self._make_room(self.limit - size):
                return False
            try:
                _allocate(part, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                # Other programs have filled the disk, so more copies must go.
                self._close_idle(0)
                self._make_room(self._used() - size)
                _allocate(part, size)
        return True

    def _make_room(self, limit: int) -> bool:
        """Removes unused copies, the least recently read first, until the limit is met."""
        used = self._used()
        for file in sorted(self._files(), key=_last_read):
            if used <= limit:
                break
            used -= self._remove(file)
        return used <= limit

    def _remove(self, file: Path) -> int:
        """Removes a copy, finished or not, unless a process is using it.

        Returns:
          The number of freed bytes.
        """
        unfinished = file.name.endswith(PART)
        owner = file.name.removesuffix(PART).rpartition(".")[0] if unfinished else file.name
        with FileLock(self.folder / f"{owner}{_LOCK}") as lock:
            if not lock.try_own():
                return 0
            freed = _size(file)
            file.unlink(missing_ok=True)
        return freed

    def _files(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if not file.name.endswith(_LOCK)]

    def _used(self) -> int:
        return sum(map(_size, self._files()))

    def _close_idle(self, keep: int) -> None:
        """Closes the unused copies except for the `keep` most recently read ones."""
        with self._mutex:
            idle = [name for name, opened in self._opened.items() if not opened.users]
            for name in idle[: max(0, len(idle) - keep)]:
                # Marks the time of the last read, which is later than the opening.
                with contextlib.suppress(OSError):
                    os.utime(self.folder / name)
                self._opened.pop(name).close()


def _name(source: Path, stored: FileInfo) -> str:
    """Returns the name of a copy, which is unique to its source and version."""
    text = f"{source}\0{stored.size}\0{stored.version}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:20]}-{source.name[:100]}"


def _allocate(part: Path, size: int) -> None:
    """Reserves disk space, so that a full disk is reported before the download."""
    try:
        with growing(part) as stream:
            stream.truncate(size)
            # macOS has no such call. There, a full disk is noticed during the download.
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, size)
    except OSError as error:
        error.filename = str(part.parent)
        raise


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _last_read(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
