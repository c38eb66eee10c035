"""The first seconds of a command, while what it needs is imported.

Three things are seen to before that: Ctrl-C ends a command at once and in one line, a machine
that gives it too little address space is told so, where libraries would end in a segmentation
fault, and a command that is asked for help does not import libraries that it does not need then.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from vidjax.helping import asked_for_help, import_stand_ins

# When the command began, by the monotonic clock; nothing that takes long is imported before this.
BEGAN = time.monotonic()
# Bytes of address space in which libraries can be loaded and a small network be trained.
_LEAST = 1_500_000_000


def guard() -> None:
    """Answers Ctrl-C until the command does, a limit of memory that is too low, and `--help`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    _require_memory()
    if asked_for_help(sys.argv):
        import_stand_ins()


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.stderr.write("interrupted\n")
    sys.stderr.flush()
    # An exception would be swallowed by some imports.
    os._exit(130)


def _require_memory() -> None:
    try:
        import resource
    # Windows has no such limit.
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST:
        sys.stderr.write(
            f"error: this process may use {limit / 1e9:.1f} GB of address space, and needs "
            f"{_LEAST / 1e9:.1f} GB to load its libraries; raise the limit (ulimit -v)\n"
        )
        sys.exit(74)
