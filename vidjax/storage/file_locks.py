"""Shared and exclusive file locks, which end with their process.

They protect ArrayRecord files. Windows has neither such locks nor ArrayRecord.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class FileLock:
    """A lock of the operating system on an empty file, which stays.

    Each instance is a separate holder, also within one process.

    Args:
      file: the lock file; created if it does not exist, in an existing folder.

    Raises:
      OSError: the file cannot be created.
    """

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, _FLAGS, 0o666)

    def share(self) -> None:
        """Acquires a shared lock; waits while another holder has an exclusive lock."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def own(self) -> None:
        """Acquires an exclusive lock; waits for all others. Releases an own shared lock first."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_own(self) -> bool:
        """Tries to acquire an exclusive lock without waiting; returns whether that succeeded."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Releases the lock and closes its file."""
        os.close(self._descriptor)

    def __enter__(self) -> FileLock:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
