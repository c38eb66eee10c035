"""Locks that several may share, or one may have alone; they die with their process.

Windows has none of this kind, and no ArrayRecord either, whose files they are for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class FileLock:
    """A lock of the operating system, on a file that stays, empty.

    Each object is a holder of its own, also within one process.

    Args:
      file: stands for what is locked; made if absent, in a folder that is there.

    Raises:
      OSError: it cannot be made.
    """

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, _FLAGS, 0o666)

    def share(self) -> None:
        """Waits until nobody has it alone, and shares it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def own(self) -> None:
        """Waits until nobody else has or shares it; what this one shared is given up before."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_own(self) -> bool:
        """Has it alone if nobody else has or shares it now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Gives it up for good."""
        os.close(self._descriptor)

    def __enter__(self) -> FileLock:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
