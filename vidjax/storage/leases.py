"""Who owns a folder of a bucket: a small object that is written under conditions.

The owner renews the object every few seconds. Another process takes it over when it has stayed the
same for a minute, by the clock of the one who looks; clocks of machines are not compared. Each
write names the version that it replaces, so that of two processes one succeeds.

An owner that was stopped for longer than a minute may find that its lease is another's. It ends at
once: it looks before it replaces an object of the folder, if its last renewal was long ago. What it
replaces it names by version, so that it overwrites nothing that the other has written meanwhile.
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
from vidjax.storage.heartbeat import beating
from vidjax.terminal import complain

# Seconds from one renewal to the next, and without one until an owner counts as dead.
BEAT, DEAD_AFTER = 10.0, 60.0
_LOOK = 2.0
# "Service unavailable" in sysexits.h: another start finds out who owns the folder.
_LOST = 69


class _Record(msgspec.Struct):
    """What an owner says of itself."""

    host: str
    process: int
    since: str
    machine: str = ""
    token: str = ""
    beat: int = 0


# Those of this process.
_held: set[Lease] = set()


class Lease:
    """One that owns, or tries to own, a folder of a bucket.

    Args:
      record: the object that says who has it.
      say: told whose lease is taken over.
      lost: called when another process has taken the lease over; ends this one.
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
        """Takes the place and returns None, or says who has it.

        Raises:
          BucketError: the store does not answer, or does not allow it.
        """
        there = buckets.read(self._url)
        if there is None:
            return self._take(None)
        record = _parsed(there[0])
        if not _is_dead_here(record):
            self._say(
                f"{in_words(record)} has left its mark at {self._url}: looking for a sign of life "
                f"for up to {DEAD_AFTER:g} s"
            )
            if self._shows_life(there[1]):
                return in_words(record)
            self._say(
                f"{in_words(record)} has shown no sign of life for {DEAD_AFTER:g} s: this process "
                "takes its place"
            )
        else:
            self._say(f"{in_words(record)} has ended without a word: this process takes its place")
        return self._take(there[1])

    def _take(self, over: str | None) -> str | None:
        began = _now()
        try:
            self._version = buckets.write(self._url, self._content(), over=over)
        except FileExistsError:
            there = buckets.read(self._url)
            return in_words(_parsed(there[0]) if there else {})
        self._renewed = began
        _held.add(self)
        return None

    def covers(self, url: str) -> bool:
        """Whether an object lies in the folder."""
        return url.startswith(self._folder)

    def assure(self, url: str, doubtful: bool) -> None:
        """Renews the record if an object of the folder is to be written and it may be another's.

        Args:
          url: of the object.
          doubtful: whether there is another reason to doubt than the time of the last renewal.

        Raises:
          BucketError: the store does not answer.
        """
        doubtful = doubtful or _now() - self._renewed > DEAD_AFTER / 2
        if doubtful and self.covers(url):
            self.renew()

    def _shows_life(self, version: str) -> bool:
        """Whether the record is renewed or removed before it is old enough to be a dead one's."""
        began = time.monotonic()
        while time.monotonic() - began < DEAD_AFTER:
            time.sleep(min(_LOOK, BEAT))
            if buckets.version(self._url) != version:
                return True
        return False

    def signs_of_life(self) -> contextlib.AbstractContextManager[None]:
        """Renews the record from time to time while the context is open."""
        return beating(self.renew, BEAT, f"owner of {self._url}")

    def renew(self) -> None:
        """Says that this process lives; ends it if another one has taken its place.

        Raises:
          BucketError: the store does not answer.
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
        """Gives the place back; what another process has put there stays."""
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
            f"error: another process has taken over {self._url}, because this one showed no sign "
            f"of life for {DEAD_AFTER:g} s; it ends, so that it overwrites nothing of the other's"
        )
        os._exit(_LOST)


def holds(url: str) -> bool:
    """Whether this process owns the folder that an object lies in."""
    return any(lease.covers(url) for lease in list(_held))


def assure(url: str, *, doubtful: bool = False) -> None:
    """Ends this process if the folder in which it is about to write an object is another's by now.

    Args:
      url: of the object.
      doubtful: looks even if the last renewal was not long ago.

    Raises:
      BucketError: the store does not answer.
    """
    for lease in list(_held):
        lease.assure(url, doubtful)


def in_words(record: dict[str, Any]) -> str:
    """An owner, as errors name it."""
    if not {"host", "process", "since"} <= record.keys():
        return "another process"
    return "process {process} on {host} since {since}".format(**record)


def _parsed(content: bytes) -> dict[str, Any]:
    """The record; empty where it is damaged."""
    try:
        return msgspec.to_builtins(msgspec.json.decode(content, type=_Record))
    except msgspec.MsgspecError:
        return {}


def _is_dead_here(record: dict[str, Any]) -> bool:
    """Whether the owner was a process that this machine would have, and has not."""
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
    """Seconds, also those for which the machine slept, where its clock knows them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _machine() -> str:
    """Stands for this running machine and the numbers of processes that it knows."""
    parts = [platform.node()]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            is_link = os.path.islink(file)
            parts.append(os.readlink(file) if is_link else Path(file).read_text().strip())
    return "/".join(parts)
