"""Errors for damaged prepared data sets: one line that says what is wrong and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class DamagedError(ValueError):
    """A prepared data set is damaged."""


class ReplacedError(DamagedError):
    """A record is intact, but it is not the one that was written there."""


def remedy(folder: Path) -> str:
    """Returns the advice for a damaged data set, as the end of an error."""
    return f"remove {folder} and run the same command again to prepare the data set again"


def damaged(folder: Path, what: str) -> DamagedError:
    """Makes the error that says how a data set is damaged."""
    return DamagedError(f"{folder} is damaged: {what}; {remedy(folder)}")


@contextlib.contextmanager
def damage_errors(folder: Path, where: str = "") -> Iterator[None]:
    """Turns the errors that libraries raise for damaged data into one-line errors.

    Args:
      folder: folder of the data set.
      where: file or record that is read, for the message.

    Raises:
      DamagedError: in place of a library's error.
    """
    try:
        yield
    except (OSError, MemoryError, DamagedError):
        raise
    # ArrayRecord, Protocol Buffers and TFDS raise their own types here, some without a message.
    except Exception as error:
        what = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise damaged(folder, f"{where}: {what[:_LONGEST]}" if where else what) from None


# Libraries quote the data that they could not read.
_LONGEST = 200
