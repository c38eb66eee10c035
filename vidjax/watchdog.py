"""A watchdog: ends a process that makes no progress for a given time.

Code that makes progress calls `report_progress`: for a step, a batch of an evaluation, a progress
line. If nothing calls it for too long, the process prints the stacks of its threads and exits.
Whatever started it can then start it again.

A thread checks the clock. It needs the interpreter lock, which hanging code may hold, so an
`ExitTimer` backs it up.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from vidjax.exit_timer import ExitTimer
from vidjax.terminal import complain

# Compilations report no progress, and get this many times the usual limit.
COMPILING = 4
# Seconds by which the timer is later than the thread. When a process resumes after being stopped
# for longer than the limit, both are due at once, and the thread has more to report.
_BEHIND = 30.0
# Seconds that one process of several waits, so that the others can print their stacks.
_LINGER = 5.0


@dataclass
class _Sign:
    """The last sign of progress.

    Attributes:
      what: what has been going on since then.
      since: when it was given, by the monotonic clock.
      patience: factor of the usual limit until the next sign.
    """

    what: str = "starting"
    since: float = 0.0
    patience: float = 1.0


_sign = _Sign()
_paused = False


def report_progress(what: str, *, compiling: bool = False) -> None:
    """Reports progress. Without a watchdog it costs almost nothing.

    Args:
      what: name of the work that starts now.
      compiling: whether the work may have to be compiled first.
    """
    global _sign
    _sign = _Sign(what, time.monotonic(), COMPILING if compiling else 1)


def pause() -> None:
    """Suspends the watchdog until the end of the enclosing `resumed_after`."""
    global _paused
    _paused = True


@contextlib.contextmanager
def resumed_after() -> Iterator[None]:
    """Ends a `pause` within the context when the context ends."""
    global _paused
    before = _paused
    try:
        yield
    finally:
        report_progress(_sign.what)
        _paused = before


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Suspends the watchdog within the context, while others are waited for that have their own."""
    with resumed_after():
        pause()
        yield


class Watchdog:
    """Ends the process if it hangs while the context is open.

    Time during which the process is stopped, by Ctrl-Z or SIGSTOP, counts, because the other
    processes of its job have waited for it.

    Args:
      seconds: longest time between two signs of progress; 0 disables the watchdog.
      code: exit code.
      advice: how to continue, as the end of a sentence.
    """

    def __init__(self, seconds: float, code: int, advice: str = "start it again") -> None:
        self._seconds, self._code, self._advice = seconds, code, advice
        self._who, self._linger = "this process", 0.0
        self._ended = threading.Event()

    def one_of_several(self, index: int, count: int) -> None:
        """Tells that the process is number `index` of a job of `count`.

        It then exits a little later, so that the others, which hang with it, can print their
        stacks. Number 0, through which they communicate, exits last.
        """
        self._who = f"process {index} of {count}"
        self._linger = min(_LINGER, self._seconds / 4) * (1 if index else 2)

    def __enter__(self) -> Watchdog:
        global _paused
        _paused = False
        if self._seconds:
            report_progress("starting")
            self._stream = _stream()
            self._timer = ExitTimer(self._code, self._stream)
            # Set before the thread's first check, which a library may prevent.
            self._set_timer(_sign.since + self._seconds)
            self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._seconds:
            self._thread.join()
            self._timer.cancel()

    def _look(self) -> None:
        while not self._ended.wait(min(1.0, self._seconds / 10)):
            sign = _sign
            late = math.inf if _paused else sign.since + sign.patience * self._seconds
            if (over := time.monotonic() - late) > 0:
                self._leave(sign, over)
            elif late != self._set_for:
                self._set_timer(late)

    def _set_timer(self, late: float) -> None:
        self._set_for = late
        if late == math.inf:
            self._timer.cancel()
        else:
            behind = min(_BEHIND, 2 + self._seconds)
            self._timer.set(late + behind - time.monotonic())

    def _leave(self, sign: _Sign, over: float) -> None:
        # If this process itself was stopped, the others have exited already.
        linger = max(0.0, self._linger - over)
        # The reader of the output may hang as well.
        self._timer.set(linger + 5)
        stood = time.monotonic() - sign.since
        complain(
            f"error: {self._who} hangs: no progress for {stood:.0f} s "
            f"(--hang_timeout={self._seconds:g}) since: {sign.what}. It exits with code "
            f"{self._code}; {self._advice}. Stacks of its threads:"
        )
        faulthandler.dump_traceback(file=self._stream, all_threads=True)
        time.sleep(linger)
        # Exits without waiting for anything that hangs, not even for buffers to be flushed.
        os._exit(self._code)


def _stream() -> IO[str]:
    """Returns standard error, which notebooks and tests may replace by a stream without a file."""
    return sys.__stderr__ or sys.stderr
