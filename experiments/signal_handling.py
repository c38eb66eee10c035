"""How a command ends that is asked to: by SIGTERM within seconds, by Ctrl-C at once."""

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

# Of a command that SIGTERM or Ctrl-C has ended, as shells give it.
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
# Of a command whose reader has gone, by SIGPIPE, which Windows lacks.
CLOSED = 128 + 13
# Seconds that work has to tidy up. A compilation, which hears nothing, is not waited for.
_GRACE = 3.0


class Terminated(BaseException):
    """SIGTERM has come; what is under way tidies up and ends."""


@contextlib.contextmanager
def by_sigterm(code: int) -> Iterator[None]:
    """Raises `Terminated` in the main thread when SIGTERM comes, and ends what goes on regardless.

    Args:
      code: to end with.
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
    """Says that SIGTERM has ended the command, and whether it is to be started again."""
    complain(told(code))


def told(code: int) -> str:
    """What is said of a command that SIGTERM has ended with an exit code."""
    more = "; run the same command again to go on" if code == EXIT_CODE else ""
    return f"ended by SIGTERM{more}"
