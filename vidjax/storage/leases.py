"""Leases: exclusive ownership of a folder in a bucket, by conditional writes to a small object.

The owner renews the object every few seconds. Another process takes over if the object has not
changed for a minute by its own clock. Clocks of different machines are never compared. Each write
names the version that it replaces, so that only one of two processes succeeds.

An owner that was suspended for longer than a minute may have lost its lease, and then exits at
once. If its last renewal was long ago, it renews the lease before it replaces an object of the
folder. It replaces objects by version, so that it overwrites nothing that the new owner wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from vidjax.storage import buckets
from vidjax.storage.heartbeat import heartbeat
from vidjax.terminal import complain

# Seconds between renewals, and seconds without one after which an owner counts as dead.
BEAT, DEAD_AFTER = 10.0, 60.0
_LOOK = 2.0
# "Service unavailable" in sysexits.h. A restart finds out who owns the folder.
_LOST = 69


class _Record(msgspec.Struct):
    """The content of the lease object."""

    host: str
    process: int
    since: str
    machine: str = ""
    token: str = ""
    beat: int = 0


# The leases that this process holds.
_held: set[Lease] = set()


class Lease:
    """A lease of a folder in a bucket, held or to be acquired.

    Args:
      record: the lease object.
      say: called with messages about a lease that is taken over.
      lost: called if another process has taken over the lease; by default, exits this process.
    """

    def __init__(
        self, record: Path, say: Callable[[str], None], lost: Callable[[], None] | None = None
    ) -> None:
        self._url, self._say = str(record), say
        self._lost = lost or self._end
        self._token, self._beat = secrets.token_hex(8), 0
        self._since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        self._version: str | None = None
        self._renewing = threading.Lock()
        self._folder = self._url.rpartition("/")[0] + "/"
        self._renewed = _now()

    def attempt(self) -> str | None:
        """Acquires the lease and returns None, or returns a description of its owner.

        Raises:
          BucketError: a request to the store fails.
        """
        there = buckets.read(self._url)
        if there is None:
            return self._take(None)
        record = _parsed(there[0])
        if not _is_dead_here(record):
            self._say(
                f"{describe_owner(record)} holds the lease {self._url}: checking for up to "
                f"{DEAD_AFTER:g} s whether it is alive"
            )
            if self._shows_life(there[1]):
                return describe_owner(record)
            self._say(
                f"{describe_owner(record)} has not renewed its lease for {DEAD_AFTER:g} s: this "
                "process takes it over"
            )
        else:
            self._say(
                f"{describe_owner(record)} has ended without releasing it: this process takes over"
            )
        return self._take(there[1])

    def _take(self, over: str | None) -> str | None:
        began = _now()
        try:
            self._version = buckets.write(self._url, self._content(), over=over)
        except FileExistsError:
            there = buckets.read(self._url)
            return describe_owner(_parsed(there[0]) if there else {})
        self._renewed = began
        _held.add(self)
        return None

    def covers(self, url: str) -> bool:
        """Returns whether an object is in the folder."""
        return url.startswith(self._folder)

    def check(self, url: str, doubtful: bool) -> None:
        """Renews the lease before an object is written, if the lease may have been lost.

        Args:
          url: URL of the object.
          doubtful: renew even if the last renewal was recent.

        Raises:
          BucketError: a request to the store fails.
        """
        doubtful = doubtful or _now() - self._renewed > DEAD_AFTER / 2
        if doubtful and self.covers(url):
            self.renew()

    def _shows_life(self, version: str) -> bool:
        """Waits; returns whether the lease changes before its owner counts as dead."""
        began = time.monotonic()
        while time.monotonic() - began < DEAD_AFTER:
            time.sleep(min(_LOOK, BEAT))
            if buckets.version(self._url) != version:
                return True
        return False

    def signs_of_life(self) -> contextlib.AbstractContextManager[None]:
        """Opens a context that renews the lease periodically."""
        return heartbeat(self.renew, BEAT, f"owner of {self._url}")

    def renew(self) -> None:
        """Renews the lease; exits this process if another one has taken it over.

        Raises:
          BucketError: a request to the store fails.
        """
        with self._renewing:
            if self._version is None:
                return
            self._beat += 1
            began = _now()
            try:
                self._version = buckets.write(self._url, self._content(), over=self._version)
            except FileExistsError:
                there = buckets.read(self._url)
                if there is not None and _parsed(there[0]).get("token") == self._token:
                    self._version = there[1]
                else:
                    self._version = None
                    _held.discard(self)
                    self._lost()
                    return
            self._renewed = began

    def release(self) -> None:
        """Releases the lease, unless another process has taken it over."""
        with self._renewing:
            version, self._version = self._version, None
            _held.discard(self)
        if version is not None:
            with contextlib.suppress(OSError):
                buckets.remove(self._url, only=version)

    def _content(self) -> bytes:
        record = {
            "host": platform.node(),
            "process": os.getpid(),
            "since": self._since,
            "machine": _machine(),
            "token": self._token,
            "beat": self._beat,
        }
        return json.dumps(record).encode()

    def _end(self) -> None:
        complain(
            f"error: another process has taken over {self._url}, because this one did not renew it "
            f"for {DEAD_AFTER:g} s. This process exits, so that it overwrites nothing"
        )
        os._exit(_LOST)


def holds_lease(url: str) -> bool:
    """Returns whether this process owns the folder of an object."""
    return any(lease.covers(url) for lease in list(_held))


def check_lease(url: str, *, doubtful: bool = False) -> None:
    """Checks before a write that this process still owns the folder; if not, exits the process.

    Args:
      url: URL of the object to be written.
      doubtful: check even if the last renewal was recent.

    Raises:
      BucketError: a request to the store fails.
    """
    for lease in list(_held):
        lease.check(url, doubtful)


def describe_owner(record: dict[str, Any]) -> str:
    """Describes an owner for errors."""
    if not {"host", "process", "since"} <= record.keys():
        return "another process"
    return "process {process} on {host} since {since}".format(**record)


def _parsed(content: bytes) -> dict[str, Any]:
    """Parses a lease object; empty if it is damaged."""
    try:
        return msgspec.to_builtins(msgspec.json.decode(content, type=_Record))
    except msgspec.MsgspecError:
        return {}


def _is_dead_here(record: dict[str, Any]) -> bool:
    """Returns whether the owner was a process of this machine that no longer runs."""
    if record.get("machine") != _machine():
        return False
    try:
        os.kill(record["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _now() -> float:
    """Returns monotonic seconds, including time that the machine was suspended if possible."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _machine() -> str:
    """Identifies this boot of the machine and its process namespace."""
    parts = [platform.node()]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            is_link = os.path.islink(file)
            parts.append(os.readlink(file) if is_link else Path(file).read_text().strip())
    return "/".join(parts)
