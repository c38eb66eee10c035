"""Ends all processes of a job if one of them cannot or must not continue.

At its usual end a process waits for the others, and they would wait for it. So a process that ends
alone tells all others, and each of them exits with the same code within seconds.
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

# Seconds between two checks, for the main thread to clean up, and for which process 0, which stores
# the messages, waits for the others.
_LOOK, _GRACE, _FAREWELL = 1.0, 3.0, 5.0
_LEAVE, _LEFT = "leave", "left/"


class _EndMessage(msgspec.Struct):
    """The message of a process that ends: the exit code of all processes, and the reason."""

    code: int
    why: str


class JobShutdown:
    """Watches for Ctrl-C and for other processes that end, while its context is open."""

    def __init__(self) -> None:
        self._said: _EndMessage | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Ends this process with the others, and the others with it, while this context is open."""
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

    def end_all(self, code: int, why: str) -> NoReturn:
        """Ends this process at once, and all others with it.

        Args:
          code: exit code of all processes.
          why: the reason, which each of them prints.
        """
        self._say(_EndMessage(code, why))
        self._go()

    def end_with_others(self) -> None:
        """Ends this process if another one has ended; otherwise returns.

        The connections of that process break before its message arrives, so this process fails
        first.
        """
        if (leave := self._told()) is not None:
            with self._lock:
                if self._said is None:
                    self._said = leave
                    complain(leave.why)
            self._go()

    def _told(self) -> _EndMessage | None:
        """Returns the message of another process; None if there is none or process 0 is gone."""
        with contextlib.suppress(Exception):
            if (text := process_messages.get_text(_LEAVE)) is not None:
                return records.parsed(text, _EndMessage)
        return None

    def _say_interrupted(self) -> None:
        why = "interrupted; run the same command again to continue"
        self._say(_EndMessage(signal_handling.INTERRUPTED, why))

    def _say(self, leave: _EndMessage) -> None:
        with self._lock:
            if self._said is None:
                self._said = leave
                complain(leave.why)
                # If process 0 is gone, nobody can be told.
                with contextlib.suppress(Exception):
                    process_messages.set_text(_LEAVE, msgspec.json.encode(leave).decode())

    def _interrupted(self, times: int) -> None:
        if times == 1:
            # A compilation handles no signals; meanwhile others must still be handled.
            threading.Thread(target=self._end_late, name="shutdown", daemon=True).start()

    def _end_late(self) -> None:
        self._say_interrupted()
        time.sleep(_GRACE)
        self._go()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            # If process 0 is gone, JAX ends this process; if it is busy, it answers next time.
            if (leave := self._told()) is not None:
                self._follow(leave)
                return

    def _follow(self, leave: _EndMessage) -> None:
        with self._lock:
            if self._said is None:
                self._said = leave
                complain(leave.why)
                # The main thread cleans up, unless it is in a compilation.
                _thread.interrupt_main()
        if not self._over.wait(_GRACE):
            self._go()

    def _go(self) -> NoReturn:
        """Ends this process; process 0 first waits until the others have the message."""
        here = process_messages.process_group()
        assert self._said is not None
        with contextlib.suppress(Exception):
            process_messages.set_text(f"{_LEFT}{here.index}", "left")
            end = time.monotonic() + _FAREWELL
            while here.index == 0 and time.monotonic() < end:
                if len(process_messages.get_texts(_LEFT)) == here.count:
                    break
                time.sleep(0.1)
        end_now(self._said.code)
