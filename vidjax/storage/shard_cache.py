"""Copies of large files on this machine's own disk: shards of data sets that lie in a bucket.

The processes of a machine share a folder of copies. One copies, the others wait for it. A copy is
seen when it is whole, under a name that stands for where it is from and for its version, so that
a file that was replaced is copied anew. Where a copy needs room, those go that were not read for
longest, and never one that is being read. Who is killed leaves an unfinished copy, which the next
one removes.
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

from vidjax.storage.bucket_cache import NearBucket
from vidjax.storage.download import fetch
from vidjax.storage.file_info import Facts
from vidjax.storage.file_locks import FileLock
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.writing import PART, growing, make_folder, replacing

# Files that this process keeps open though nobody reads them now: opening one takes 0.2 ms.
_IDLE = 16
# Copies that are made ahead at once, and seconds that a reader waits for room.
_AHEAD, _PATIENCE = 2, 60.0
_LOCK = ".lock"
_SHARE = 0.9


def home() -> Path:
    """Where copies are kept if no other folder is named: `~/.cache/vidjax/shards`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidjax" / "shards"


@functools.cache
def shard_cache(folder: str = "", gigabytes: float | None = None) -> ShardCache:
    """The folder of copies that a process has, the same one for all its readers.

    Args:
      folder: on this machine; empty is `home()`. A URL names a near bucket: its copies are shared
        by all machines, and each machine copies what it reads from there to `home()`.
      gigabytes: of all copies on this machine; None is nine tenths of what is free.

    Raises:
      OSError: the folder cannot be made, or the bucket cannot be written.
    """
    limit = None if gigabytes is None else round(gigabytes * 1e9)
    if is_url(folder):
        return ShardCache(home(), limit, NearBucket(as_path(folder)))
    return ShardCache(as_path(folder) if folder else home(), limit)


class _NoRoomError(Exception):
    """All copies are being read."""


@dataclass
class _Opened:
    """A copy that is open, or about to be."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    reader: Any = None
    held: FileLock | None = None

    def close(self) -> None:
        if self.reader is not None:
            # One that has met damage tells it once more.
            with contextlib.suppress(Exception):
                self.reader.close()
        if self.held is not None:
            self.held.close()


class ShardCache:
    """A folder of copies. Threads and processes may share it.

    Args:
      folder: on this machine's own disk; made if absent.
      limit: bytes of all copies; None is nine tenths of what is free.
      near: where other machines may have copied a shard to already.

    Raises:
      OSError: the folder cannot be made.
    """

    def __init__(
        self, folder: Path, limit: int | None = None, near: NearBucket | None = None
    ) -> None:
        self.folder, self.near = make_folder(folder), near
        if limit is None:
            limit = int(_SHARE * shutil.disk_usage(folder).free) + self._used()
        self.limit = limit
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._mutex = threading.Lock()
        self._expected: deque[tuple[Path, Facts]] = deque()
        self._ahead = 0

    def check(self, source: Path, stored: Facts) -> None:
        """Refuses a file that is larger than all copies together may be.

        Raises:
          ValueError: names the file, the limit and the fix.
        """
        if stored.size > self.limit:
            raise ValueError(
                f"copies in {self.folder} may take {self.limit / 1e9:.3g} GB together, and "
                f"{source} alone has {stored.size / 1e9:.3g} GB: set data.cache_gb to "
                f"{1.01 * stored.size / 1e9:.3g} or more, or data.cache_dir to a larger disk"
            )

    @contextlib.contextmanager
    def reading(self, source: Path, stored: Facts, opener: Callable[[str], Any]) -> Iterator[Any]:
        """A copy, opened; it stays while the context is open.

        Args:
          source: the file or object.
          stored: what its folder told of it.
          opener: gets the path of the copy and gives what is yielded, which has `close`.

        Raises:
          ReplacedMeanwhileError: the source is not what was listed.
          ValueError: it does not fit, or only into the place of others that are being read.
          OSError: the source cannot be read, or the copy not be written.
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
                # What could not be opened is tried anew, and what was dropped has no other user.
                if opened.reader is None and self._opened.get(name) is opened:
                    del self._opened[name]
                if self._opened.get(name) is not opened and not opened.users:
                    opened.close()
            self._close_idle(_IDLE)

    def drop(self, source: Path, stored: Facts) -> None:
        """Removes a copy that turned out to be wrong. Whoever reads it now keeps what he has."""
        name = _name(source, stored)
        with self._mutex:
            opened = self._opened.pop(name, None)
            if opened is not None and not opened.users:
                opened.close()
        (self.folder / name).unlink(missing_ok=True)

    def expect(self, source: Path, stored: Facts) -> None:
        """Copies a file in the background, if there is room. Nothing is said if that fails."""
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
        """Closes what nobody reads now; the copies stay."""
        self._close_idle(0)

    def _copy_ahead(self) -> None:
        while True:
            with self._mutex:
                if not self._expected:
                    self._ahead -= 1
                    return
                source, stored = self._expected.popleft()
            # Who needs it meets the same error. Threads cannot be started while a process ends.
            with contextlib.suppress(OSError, RuntimeError, _NoRoomError):
                self._held(source, stored, patient=False).close()

    def _held(self, source: Path, stored: Facts, *, patient: bool) -> FileLock:
        """The shared lock of a copy that is there and whole."""
        name = _name(source, stored)
        file, lock = self.folder / name, FileLock(self.folder / f"{name}{_LOCK}")
        try:
            while True:
                lock.share()
                if file.exists():
                    os.utime(file)
                    return lock
                lock.own()
                # Another one may have copied it meanwhile.
                if not file.exists():
                    self._copy(source, stored, file, patient)
        except BaseException:
            lock.close()
            raise

    def _copy(self, source: Path, stored: Facts, file: Path, patient: bool) -> None:
        for part in self.folder.glob(f"{file.name}.*{PART}"):
            part.unlink(missing_ok=True)
        with replacing(file) as part:
            self._reserve(part, stored.size, patient)
            if self.near is None:
                fetch(source, stored, part)
            else:
                self.near.fetch(file.name, source, stored, part)

    def _reserve(self, part: Path, size: int, patient: bool) -> None:
        """Makes an unfinished copy as long as it will be, within the limit.

        Raises:
          ValueError: all copies are being read, for long.
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
                    f"copies in {self.folder} may take {self.limit / 1e9:.3g} GB together, and so "
                    "many are being read at once: set data.cache_gb to more"
                )
            time.sleep(0.1)

    def _has_reserved(self, part: Path, size: int) -> bool:
        # One process at a time, so that all count the same.
        with FileLock(self.folder / _LOCK) as lock:
            lock.own()
            if not self._make_room(self.limit - size):
                return False
            try:
                _allocate(part, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                # Others have taken the disk: of the copies as many must go.
                self._close_idle(0)
                self._make_room(self._used() - size)
                _allocate(part, size)
        return True

    def _make_room(self, limit: int) -> bool:
        """Removes copies that nobody reads, the longest unread first, until the limit holds."""
        used = self._used()
        for file in sorted(self._files(), key=_last_read):
            if used <= limit:
                break
            used -= self._remove(file)
        return used <= limit

    def _remove(self, file: Path) -> int:
        """Removes a copy, or what is left of one, unless somebody reads or writes it.

        Returns:
          How many bytes that makes free.
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
        """Closes copies that nobody reads now, but for those that were read last."""
        with self._mutex:
            idle = [name for name, opened in self._opened.items() if not opened.users]
            for name in idle[: max(0, len(idle) - keep)]:
                # It was read until now, and not only when it was opened.
                with contextlib.suppress(OSError):
                    os.utime(self.folder / name)
                self._opened.pop(name).close()


def _name(source: Path, stored: Facts) -> str:
    """Of a copy: stands for where it is from and for its content."""
    text = f"{source}\0{stored.size}\0{stored.version}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:20]}-{source.name[:100]}"


def _allocate(part: Path, size: int) -> None:
    """Takes the disk's room at once: a full one is told before anything is on its way."""
    try:
        with growing(part) as stream:
            stream.truncate(size)
            # macOS has no such call: there a full disk is met on the way.
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
