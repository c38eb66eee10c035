"""Reacts to signals at once, even while the main thread is busy."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

Handler = Callable[[int, FrameType | None], Any]


class Listener:
    """Listens for a signal in its own thread while the context is open.

    Python runs signal handlers only between two bytecode instructions, and a compilation is one
    instruction that can take minutes. The C part of the handler writes a byte at once, for which a
    thread can wait. Python lets only the main thread set handlers. A listener opened in another
    thread hears nothing; the code that started the thread is responsible for signals. Nested
    listeners pass on other signals.

    Args:
      number: number of the signal.
      heard: called in the listening thread with how often the signal has arrived.
      handler: called in the main thread, when it gets to it.
    """

    def __init__(
        self, number: signal.Signals, heard: Callable[[int], None], handler: Handler
    ) -> None:
        self._number, self._heard, self._handler = number, heard, handler

    def __enter__(self) -> Listener:
        self._hears = threading.current_thread() is threading.main_thread()
        if not self._hears:
            return self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._before = signal.signal(self._number, self._handler)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._hears:
            return
        signal.set_wakeup_fd(self._wakeup_before)
        signal.signal(self._number, self._before)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def _listen(self) -> None:
        times = 0
        while came := self._reader.recv(64):
            others = came.replace(bytes([self._number]), b"")
            if others and self._wakeup_before >= 0:
                os.write(self._wakeup_before, others)
            for _ in range(came.count(self._number)):
                times += 1
                self._heard(times)


def end_now(code: int) -> NoReturn:
    """Ends the process without waiting for its threads, after flushing its output."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
