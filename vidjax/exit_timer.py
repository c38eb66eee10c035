"""A timer that ends the process even if another thread holds the interpreter lock.

Python's threads need that lock, and a library that hangs may hold it. On Linux a POSIX timer does
not need Python: when it expires, the C library starts a thread that calls `_exit`.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import sys
from typing import IO, Any

# Constants of <signal.h> and <time.h>, the same on every 64-bit Linux.
_NOTIFY_BY_THREAD = 2
_MONOTONIC = 1
# Seconds for dumping the threads before the process ends.
_DUMPING = 2.0


class _Event(ctypes.Structure):
    """`struct sigevent`: call a function with a value, in a new thread."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("rest", ctypes.c_char * 32),
    )


class _Time(ctypes.Structure):
    """`struct itimerspec`: once, after seconds and nanoseconds; all zeros disarm it."""

    _fields_ = (
        ("interval", ctypes.c_long * 2),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class ExitTimer:
    """Prints the stacks of all threads and ends the process, unless it is reset in time.

    On systems other than Linux the exit code is 1, the only one that Python offers there.

    Args:
      code: exit code.
      stream: stream to print to; it needs a file descriptor.
    """

    def __init__(self, code: int, stream: IO[str]) -> None:
        self._stream = stream
        self._library, self._timer = _made(code)

    def set(self, seconds: float) -> None:
        """Sets the timer to expire after some seconds; replaces an earlier setting."""
        seconds = max(seconds, 0.001)
        ends = self._timer is None
        faulthandler.dump_traceback_later(seconds, exit=ends, file=self._stream)
        self._set(seconds + _DUMPING)

    def cancel(self) -> None:
        """Disarms the timer."""
        faulthandler.cancel_dump_traceback_later()
        self._set(0.0)

    def _set(self, seconds: float) -> None:
        if self._timer is not None:
            time = _Time(seconds=int(seconds), nanoseconds=int(seconds % 1 * 1e9))
            self._library.timer_settime(self._timer, 0, ctypes.byref(time), None)


def _made(code: int) -> tuple[Any, ctypes.c_void_p | None]:
    """Returns the C library and a disarmed timer; None if the library has no timers."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None, None
    # Before glibc 2.34, timers are in a separate library.
    for name in (None, "librt.so.1"):
        with contextlib.suppress(OSError, AttributeError):
            library, timer = ctypes.CDLL(name), ctypes.c_void_p()
            leave = ctypes.cast(library._exit, ctypes.c_void_p)
            event = _Event(value=code, notify=_NOTIFY_BY_THREAD, function=leave.value)
            if not library.timer_create(_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
                return library, timer
    return None, None
