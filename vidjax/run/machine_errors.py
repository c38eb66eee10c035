"""Errors of the machine: a full disk, a missing permission, too little memory.

They are not the user's mistake. The same command may succeed once they are fixed, so they have an
exit code of their own.
"""

from __future__ import annotations

import errno
import os
import re

from vidjax.data.shard_executors import ClusterError
from vidjax.storage.buckets import BucketError, store_error

# "Input or output error" in sysexits.h.
EXIT_CODE = 74
# Errors of files, disks and memory; other system errors concern the names that were given.
_NUMBERS = (
    errno.EACCES, errno.EAGAIN, errno.EBUSY, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE,
    errno.ENFILE, errno.ENOLCK, errno.ENOMEM, errno.ENOSPC, errno.EPERM, errno.EROFS, errno.ESTALE,
    errno.ETIMEDOUT,
)  # fmt: skip
# Errors of TensorStore, and of XLA on its devices.
_TOLD = re.compile(r"os_error_code='(\d+)'|OS error (\d+)")
_NO_MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|[Oo]ut of memory|bad_alloc|Cannot allocate memory|can't start new thread"
)


class MachineError(OSError):
    """The machine failed; the message says how."""


def of_machine(error: BaseException) -> str | None:
    """Describes an error of the machine in one line; returns None for any other error.

    Args:
      error: the exception; its causes and the exceptions of a group are examined too.
    """
    if isinstance(error, BaseExceptionGroup):
        found = (of_machine(inner) for inner in error.exceptions)
        return next((reason for reason in found if reason is not None), None)
    if isinstance(error, MachineError | BucketError | ClusterError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        place = "" if error.filename is None else f": {error.filename}"
        return f"{os.strerror(error.errno)}{place}"
    if isinstance(error, MemoryError):
        return _no_memory(str(error))
    if told := _TOLD.search(str(error)):
        number = int(told[1] or told[2])
        return os.strerror(number) if number in _NUMBERS else None
    if isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)):
        return _no_memory(str(error))
    if (reason := store_error(error)) is not None:
        return reason
    cause = error.__cause__
    return None if cause is None else of_machine(cause)


def _no_memory(text: str) -> str:
    lines = text.strip().splitlines()
    return f"out of memory ({lines[0][:200]})" if lines else "out of memory"
