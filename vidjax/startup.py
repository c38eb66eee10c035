"""The first seconds of a command, while its libraries are imported.

During that time, Ctrl-C must end the command at once and with one line. Also, too little address
space must be reported, because libraries would end in a segmentation fault. A command that is asked
for help does not import the libraries at all.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from vidjax.fast_help import asked_for_help, import_stand_ins

# Start time of the command, by the monotonic clock; nothing slow is imported before this.
BEGAN = time.monotonic()
# Bytes of address space needed to load the libraries and train a small network.
_LEAST = 1_500_000_000


def guard() -> None:
    """Handles Ctrl-C until the command does, a memory limit that is too low, and `--help`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    _require_memory()
    if asked_for_help(sys.argv):
        import_stand_ins()


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.stderr.write("interrupted\n")
    sys.stderr.flush()
    # Some imports would swallow an exception.
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
            f"error: this process may use only {limit / 1e9:.1f} GB of address space, but needs "
            f"{_LEAST / 1e9:.1f} GB to load its libraries; raise the limit (ulimit -v)\n"
        )
        sys.exit(74)
