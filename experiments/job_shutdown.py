"""How one process of a job takes the others with it, where it cannot or must not go on.

The usual end of a process waits for the others, and they would wait for it. So a process that ends
alone says so to all, and each of them ends by itself, with the same exit code, within seconds.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from vidjax import records
from vidjax.run import process_messages
from vidjax.terminal import complain
from vidjax.training.signal_listener import Listener, end_now

from . import signal_handling

# Seconds between two looks, that the main thread has to tidy up, and that process 0, which keeps
# what is said, waits for the others.
_LOOK, _GRACE, _FAREWELL = 1.0, 3.0, 5.0
_LEAVE, _LEFT = "leave", "left/"


class _Leave(msgspec.Struct):
    """What a process says when it leaves: the exit code of all, and why."""

    code: int
    why: str


class Leaving:
    """Hears Ctrl-C, and whether another process leaves, while its context is open."""

    def __init__(self) -> None:
        self._said: _Leave | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """While it is open, this process leaves with the others, and they with this one."""
        watch = threading.Thread(target=self._watch, name="watching the others", daemon=True)
        watch.start()
        try:
            with Listener(signal.SIGINT, self._interrupted, signal.default_int_handler):
                yield
        except KeyboardInterrupt:
            self._say_interrupted()
            self._go()
        finally:
            self._over.set()
            watch.join()

    def lead(self, code: int, why: str) -> NoReturn:
        """Leaves at once, and takes the others along.

        Args:
          code: that all end with.
          why: told by each of them.
        """
        self._say(_Leave(code, why))
        self._go()

    def follow_others(self) -> None:
        """Leaves with a process that has left; returns where none has.

        Its connections are gone before its word is heard, so that this process fails for that.
        """
        if (leave := self._told()) is not None:
            with self._lock:
                if self._said is None:
                    self._said = leave
                    complain(leave.why)
            self._go()

    def _told(self) -> _Leave | None:
        """What another process has said, where process 0 is there to ask."""
        with contextlib.suppress(Exception):
            if (text := process_messages.told(_LEAVE)) is not None:
                return records.parsed(text, _Leave)
        return None

    def _say_interrupted(self) -> None:
        self._say(
            _Leave(signal_handling.INTERRUPTED, "interrupted; run the same command again to go on")
        )

    def _say(self, leave: _Leave) -> None:
        with self._lock:
            if self._said is None:
                self._said = leave
                complain(leave.why)
                # Where process 0 is gone there is nobody to tell.
                with contextlib.suppress(Exception):
                    process_messages.tell(_LEAVE, msgspec.json.encode(leave).decode())

    def _interrupted(self, times: int) -> None:
        if times == 1:
            # A compilation does not hear; other signals are to be heard meanwhile.
            threading.Thread(target=self._end_late, name="leaving", daemon=True).start()

    def _end_late(self) -> None:
        self._say_interrupted()
        time.sleep(_GRACE)
        self._go()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            # Where process 0 is gone, JAX ends this process; a busy one answers the next time.
            if (leave := self._told()) is not None:
                self._follow(leave)
                return

    def _follow(self, leave: _Leave) -> None:
        with self._lock:
            if self._said is None:
                self._said = leave
                complain(leave.why)
                # The main thread tidies up, if it hears.
                _thread.interrupt_main()
        if not self._over.wait(_GRACE):
            self._go()

    def _go(self) -> NoReturn:
        """Ends this process; process 0 when the others have heard."""
        here = process_messages.company()
        assert self._said is not None
        with contextlib.suppress(Exception):
            process_messages.tell(f"{_LEFT}{here.index}", "left")
            end = time.monotonic() + _FAREWELL
            while here.index == 0 and time.monotonic() < end:
                if len(process_messages.told_below(_LEFT)) == here.count:
                    break
                time.sleep(0.1)
        end_now(self._said.code)
