"""One owner of a folder at a time.

A process owns a folder while the context of `owned` is open. A second one is refused in one line,
or waits. Readers need no ownership. Two things guard a folder:

- A lock of the operating system on a file. It dies with its process, however that ends, and decides
  alone among processes of one running machine.
- A record of the owner (machine, process, since when), touched every few seconds. It decides where
  the lock says nothing: between machines whose shared disk keeps locks on each machine alone
  (Lustre with `localflock`), or on disks without locks. A record of another machine that nobody has
  touched for a minute is that of a dead process.

What is guaranteed: on one machine, and on shared disks that keep locks for all machines (NFS since
version 4, Lustre with `flock`), two processes never own a folder at once. On other shared disks the
record alone decides. It relies on exclusive creation of files, and an owner that was stopped for
more than a minute, such as a suspended machine, may find that another one has taken its place.

A folder of a bucket has a lease instead, which `leases` describes.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from vidjax import records
from vidjax.storage.heartbeat import beating
from vidjax.storage.leases import Lease, in_words
from vidjax.storage.paths import is_url
from vidjax.storage.writing import new, refuse_link
from vidjax.terminal import complain

# Seconds from one sign of life to the next, and without one until an owner counts as dead.
BEAT, DEAD_AFTER = 10.0, 60.0
_LOOK = 0.5
# What a lease in a folder is called.
_RECORD = ".lock-owner.json"


class _Record(msgspec.Struct):
    """What an owner says of itself."""

    host: str
    process: int
    since: str
    boot: str = ""
    token: str = ""


class InUseError(ValueError):
    """Another process owns the folder."""


@contextlib.contextmanager
def owned(
    folder: Path,
    *,
    beside: bool = False,
    wait: bool = False,
    advice: str = "wait until it has ended, or end it",
    say: Callable[[str], None] = complain,
) -> Iterator[Owner | Lease]:
    """Owns a folder while the context is open.

    On a disk it leaves one empty file, `.lock`, behind: removing it would let two processes in.

    Args:
      folder: to be owned; made if absent, unless `beside`.
      beside: keeps the files that say so beside the folder, not in it, for a folder that appears
        only when it is complete.
      wait: waits for another owner to finish, instead of refusing.
      advice: what to do about another owner, as the end of the error.
      say: told in one line what is waited for, and whose place is taken.

    Yields:
      The owner, which a process that ends at once can `release` before.

    Raises:
      InUseError: another process owns the folder, and `wait` is False; names both.
      LinkError: a link stands in the lock's place.
      OSError: the place cannot be written.
    """
    stem = folder.with_name(f"{folder.name}.lock") if beside else folder / ".lock"
    owner = _owner(stem, say)
    told = False
    while (other := owner.attempt()) is not None:
        line = f"{folder} is in use by {other}"
        if not wait:
            raise InUseError(f"{line}: {advice}")
        if not told:
            say(f"{line}: waiting until it has finished")
        told = True
        time.sleep(_LOOK)
    try:
        with owner.signs_of_life():
            yield owner
    finally:
        owner.release()


def remove_owned(folder: Path) -> None:
    """Removes a folder that this process owns, with all that is in it, as far as that is possible.

    Raises:
      BucketError: the store does not answer.
    """
    if not is_url(folder):
        # Windows keeps a lock that is open, and with it the folder.
        shutil.rmtree(folder, ignore_errors=True)
        return
    # The lease goes when it is given back; an owner that misses it ends its process.
    for file in folder.rglob("*"):
        if file.name != _RECORD:
            file.unlink(missing_ok=True)


def _owner(stem: Path, say: Callable[[str], None]) -> Owner | Lease:
    record = stem.with_name(f"{stem.name}-owner.json")
    if is_url(stem):
        return Lease(record, say)
    refuse_link(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    return Owner(stem, record)


class Owner:
    """One that owns, or tries to own, what two files stand for: a lock, and who has it."""

    def __init__(self, lock: Path, record: Path) -> None:
        self._file, self._record = lock, record
        # A system without locks is told apart from a lock that is taken, by its error.
        self._lock = FileLock(lock, timeout=0, thread_local=False, fallback_to_soft=False)
        self._token = secrets.token_hex(8)

    def attempt(self) -> str | None:
        """Takes the place and returns None, or says who has it."""
        try:
            self._lock.acquire()
            locks = True
        except Timeout:
            return in_words(self._read())
        except (NotImplementedError, OSError) as error:
            if isinstance(error, PermissionError) or not self._file.exists():
                raise
            locks = False
        other: str | None = "another process"
        try:
            other = self._take_record(locks)
        finally:
            if other is not None:
                self._lock.release()
        return other

    def _take_record(self, locks: bool) -> str | None:
        """Puts our record where no living owner's is; `locks` is whether the lock is ours."""
        there = self._read()
        if self._record.exists():
            # Where locks work, a process of this running machine that had one is dead.
            if not (locks and there.get("boot") == _boot()) and self._shows_life():
                return in_words(there)
            self._record.unlink(missing_ok=True)
        mine = {
            "host": platform.node(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
            "boot": _boot(),
            "token": self._token,
        }
        try:
            with new(self._record) as file:
                file.write(json.dumps(mine) + "\n")
        except FileExistsError:
            return in_words(self._read())
        return None

    def _shows_life(self) -> bool:
        """Whether the record is touched or removed before it is old enough to be a dead one's."""
        began, touched = time.monotonic(), self._touched()
        while time.monotonic() - began < DEAD_AFTER:
            # Both times are the disk's own: clocks of machines differ.
            self._file.touch()
            age = self._file.stat().st_mtime - (touched or 0.0)
            if touched is not None and age > DEAD_AFTER:
                return False
            time.sleep(min(_LOOK, BEAT))
            if (now := self._touched()) != touched:
                return now is not None
        return False

    def _touched(self) -> float | None:
        try:
            return self._record.stat().st_mtime
        except FileNotFoundError:
            return None

    def _read(self) -> dict[str, Any]:
        """The record; empty where there is none, or one that is only being written."""
        try:
            return records.read_mapping(self._record, "", _Record)
        except (OSError, ValueError):
            return {}

    def signs_of_life(self) -> contextlib.AbstractContextManager[None]:
        """Touches the record from time to time while the context is open."""

        def touch() -> None:
            if self._read().get("token") == self._token:
                os.utime(self._record)

        return beating(touch, BEAT, f"owner of {self._file}")

    def release(self) -> None:
        """Gives the place back; a record that another machine has put there stays."""
        with contextlib.suppress(OSError):
            if self._read().get("token") == self._token:
                self._record.unlink()
        self._lock.release()


def _boot() -> str:
    """Stands for this running machine: containers of one kernel share it, and its locks."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.is_file() else platform.node()
