"""Exclusive ownership of a folder by one process.

A process owns a folder while the context of `owned` is open. A second process gets a one-line
error, or waits. Readers need no ownership. Two things guard a folder:

- A file lock of the operating system. It ends with its process, however that ends, and is
  sufficient between processes of one machine.
- A record file with the owner (machine, process, start time), touched every few seconds. It decides
  where the lock does not work: between machines whose shared disk has only machine-local locks
  (Lustre with `localflock`), or on disks without locks. If the record of another machine has not
  been touched for a minute, its process counts as dead.

Guarantees: on one machine, and on shared disks with locks across machines (NFS since version 4,
Lustre with `flock`), two processes never own a folder at the same time. On other shared disks only
the record decides. It relies on exclusive creation of files, and an owner that was suspended for
more than a minute may find that another process has taken over.

A folder in a bucket has a lease instead (`vidjax.storage.leases`).
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
from vidjax.storage.heartbeat import heartbeat
from vidjax.storage.leases import Lease, describe_owner
from vidjax.storage.paths import is_url
from vidjax.storage.writing import new, refuse_link
from vidjax.terminal import complain

# Seconds between heartbeats, and seconds without one after which an owner counts as dead.
BEAT, DEAD_AFTER = 10.0, 60.0
_LOOK = 0.5
# File name of a lease in a folder.
_RECORD = ".lock-owner.json"


class _Record(msgspec.Struct):
    """The content of the record file."""

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

    On a disk an empty file `.lock` stays behind, because removing it could let two processes in.

    Args:
      folder: folder to own; created if it does not exist, unless `beside` is set.
      beside: keep the lock files beside the folder instead of in it, for a folder that must appear
        only when it is complete.
      wait: wait for another owner to finish, instead of raising an error.
      advice: what to do about another owner, as the end of the error.
      say: called with one-line messages about waiting and taking over.

    Yields:
      The owner. A process that exits abruptly can call its `release` before.

    Raises:
      InUseError: another process owns the folder, and `wait` is False; the message names both.
      LinkError: the lock file is a symbolic link.
      OSError: the lock file cannot be written.
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
    """Removes a folder that this process owns, with its contents, as far as possible.

    Raises:
      BucketError: a request to the store fails.
    """
    if not is_url(folder):
        # Windows cannot remove an open lock file, nor its folder.
        shutil.rmtree(folder, ignore_errors=True)
        return
    # The lease is removed on release. An owner that misses its lease exits its process.
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
    """The owner of a folder on a disk, by a lock file and a record file; or a candidate for it."""

    def __init__(self, lock: Path, record: Path) -> None:
        self._file, self._record = lock, record
        # Without the fallback, a system without locks raises another error than a taken lock.
        self._lock = FileLock(lock, timeout=0, thread_local=False, fallback_to_soft=False)
        self._token = secrets.token_hex(8)

    def attempt(self) -> str | None:
        """Acquires ownership and returns None, or returns a description of the owner."""
        try:
            self._lock.acquire()
            locks = True
        except Timeout:
            return describe_owner(self._read())
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
        """Writes our record unless the owner is alive; `locks` is whether we hold the file lock."""
        there = self._read()
        if self._record.exists():
            # If locks work, another owner on this boot of the machine must be dead.
            if not (locks and there.get("boot") == _boot()) and self._shows_life():
                return describe_owner(there)
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
            return describe_owner(self._read())
        return None

    def _shows_life(self) -> bool:
        """Waits; returns whether the record is touched before its owner counts as dead."""
        began, touched = time.monotonic(), self._touched()
        while time.monotonic() - began < DEAD_AFTER:
            # Both times are by the disk's clock, since clocks of machines differ.
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
        """Reads the record; empty if there is none, or if it is just being written."""
        try:
            return records.read_mapping(self._record, "", _Record)
        except (OSError, ValueError):
            return {}

    def signs_of_life(self) -> contextlib.AbstractContextManager[None]:
        """Opens a context that touches the record periodically."""

        def touch() -> None:
            if self._read().get("token") == self._token:
                os.utime(self._record)

        return heartbeat(touch, BEAT, f"owner of {self._file}")

    def release(self) -> None:
        """Releases ownership; a record of another machine stays."""
        with contextlib.suppress(OSError):
            if self._read().get("token") == self._token:
                self._record.unlink()
        self._lock.release()


def _boot() -> str:
    """Identifies this boot of the kernel, which containers share together with its locks."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.is_file() else platform.node()
