"""A damaged data set: what is said of it, in one line, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class DamagedError(ValueError):
    """A prepared data set is not as it was written."""


class ReplacedError(DamagedError):
    """A record is sound, and not the one that was written in its place."""


def remedy(folder: Path) -> str:
    """What to do about a damaged data set."""
    return f"remove {folder} and start the same command again: it prepares the data set anew"


def damaged(folder: Path, what: str) -> DamagedError:
    """The error that says what is wrong with a data set."""
    return DamagedError(f"{folder} is damaged: {what}; {remedy(folder)}")


@contextlib.contextmanager
def telling_damage(folder: Path, where: str = "") -> Iterator[None]:
    """What libraries make of a damaged data set becomes one line.

    Args:
      folder: of the data set.
      where: the part that is read, as the line's beginning.

    Raises:
      DamagedError: in their stead.
    """
    try:
        yield
    except (OSError, MemoryError, DamagedError):
        raise
    # ArrayRecord, Protocol Buffers and TFDS have errors of their own here, some without a message.
    except Exception as error:
        what = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise damaged(folder, f"{where}: {what[:_LONGEST]}" if where else what) from None


# Libraries quote what they could not read.
_LONGEST = 200
