"""Ends a command after SIGTERM (within seconds) and after Ctrl-C (at once)."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from vidjax.terminal import complain
from vidjax.training.preemption import EXIT_CODE
from vidjax.training.signal_listener import Listener, end_now

# Exit codes after SIGTERM and Ctrl-C, by the convention of shells.
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
# Exit code if nobody reads the output any more: 128 + SIGPIPE, which Windows lacks.
CLOSED = 128 + 13
# Seconds to clean up. A compilation handles no signals, so it is not waited for.
_GRACE = 3.0


class Terminated(BaseException):
    """Raised after SIGTERM, so that the command cleans up and ends."""


@contextlib.contextmanager
def by_sigterm(code: int) -> Iterator[None]:
    """Raises `Terminated` in the main thread after SIGTERM; ends the process if that has no effect.

    Args:
      code: exit code.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    def heard(times: int) -> None:
        if times > 1:
            tell(code)
            end_now(code)
        threading.Thread(target=end_late, name="ending", daemon=True).start()

    def end_late() -> None:
        time.sleep(_GRACE)
        tell(code)
        end_now(code)

    with Listener(signal.SIGTERM, heard, ask):
        # Ctrl-C during imports had a handler of its own.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


def tell(code: int) -> None:
    """Prints that SIGTERM has ended the command, and whether starting it again continues it."""
    complain(told(code))


def told(code: int) -> str:
    """Returns the message for a command that SIGTERM has ended with an exit code."""
    more = "; run the same command again to continue" if code == EXIT_CODE else ""
    return f"ended by SIGTERM{more}"
