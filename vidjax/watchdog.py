"""Noticing that a process hangs: nothing has moved in it for a stated time.

What moves says so by `doing`: a step, a batch of an evaluation, a line of progress. A process in
which nobody has said anything for too long prints where its threads are, and leaves. Whoever
started it starts it again.

A thread looks at the clock. It needs the interpreter lock, and what hangs may hold that, so an
`ExitTimer` stands behind it.
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

# Compilations give no sign of life, and take this many times as long as anything else.
COMPILING = 4
# Seconds by which the timer comes later than the thread: a process that was stopped for longer than
# it was watched for, and goes on, finds both due at once, and the thread has more to say.
_BEHIND = 30.0
# Seconds that a process of several waits for the others to say where they are.
_LINGER = 5.0


@dataclass
class _Sign:
    """The last sign of life.

    Attributes:
      what: is being done since.
      since: when it was given, by the monotonic clock.
      patience: times the usual span that may pass until the next one.
    """

    what: str = "starting"
    since: float = 0.0
    patience: float = 1.0


_sign = _Sign()
_paused = False


def doing(what: str, *, compiling: bool = False) -> None:
    """Gives a sign of life. Where nobody watches, it costs next to nothing.

    Args:
      what: is done from now on.
      compiling: it may have to be compiled first.
    """
    global _sign
    _sign = _Sign(what, time.monotonic(), COMPILING if compiling else 1)


def pause() -> None:
    """From here to the end of `as_before` no signs are given, however well things go."""
    global _paused
    _paused = True


@contextlib.contextmanager
def as_before() -> Iterator[None]:
    """After the context a `pause` within it is over."""
    global _paused
    before = _paused
    try:
        yield
    finally:
        doing(_sign.what)
        _paused = before


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """No signs are given within the context: others are waited for, who give signs of their own."""
    with as_before():
        pause()
        yield


class Watch:
    """Ends the process when it hangs, while the context is open.

    Time for which the process is stopped, by Ctrl-Z or SIGSTOP, counts: the others of its job
    have waited for it.

    Args:
      seconds: that may pass between two signs of life; 0 watches nothing.
      code: to exit with.
      advice: how to go on, as the end of a sentence.
    """

    def __init__(self, seconds: float, code: int, advice: str = "start it again") -> None:
        self._seconds, self._code, self._advice = seconds, code, advice
        self._who, self._linger = "this process", 0.0
        self._ended = threading.Event()

    def one_of_several(self, index: int, count: int) -> None:
        """Says that the process is number `index` of a job of `count`.

        It leaves a little later then, so that the others, which hang with it, say where they are.
        Number 0, through which they know of one another, is the last.
        """
        self._who = f"process {index} of {count}"
        self._linger = min(_LINGER, self._seconds / 4) * (1 if index else 2)

    def __enter__(self) -> Watch:
        global _paused
        _paused = False
        if self._seconds:
            doing("starting")
            self._stream = _stream()
            self._timer = ExitTimer(self._code, self._stream)
            # Before the thread's first look, which a library may not let come.
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
        # The others have left already where this process itself was stopped.
        linger = max(0.0, self._linger - over)
        # Whoever reads what is printed may hang as well.
        self._timer.set(linger + 5)
        stood = time.monotonic() - sign.since
        complain(
            f"error: {self._who} hangs: nothing has moved for {stood:.0f} s (--hang_timeout="
            f"{self._seconds:g}) since: {sign.what}. It leaves with {self._code}; {self._advice}. "
            "Its threads are here:"
        )
        faulthandler.dump_traceback(file=self._stream, all_threads=True)
        time.sleep(linger)
        # Nothing that hangs is waited for, not even what would be flushed.
        os._exit(self._code)


def _stream() -> IO[str]:
    """Standard error, which notebooks and tests replace by what has no file descriptor."""
    return sys.__stderr__ or sys.stderr
