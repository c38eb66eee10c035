"""The folder that keeps published weights on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

from vidjax.trained.published.checkpoint import Checkpoint

VARIABLE = "VIDJAX_CACHE"


def folder() -> Path:
    """What the environment variable `VIDJAX_CACHE` names; else the system's place for caches."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path(pooch.os_cache("vidjax")) / "weights"


def place(row: Checkpoint) -> Path:
    """Where a checkpoint's file lies in the cache, or belongs."""
    return folder() / row.file


def by_hand(row: Checkpoint) -> str:
    """What people can do where a program cannot fetch a file, as the end of an error."""
    return f"get it some other way and put it at {place(row)}"
