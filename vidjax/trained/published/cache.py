"""The cache folder for published weights on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

from vidjax.trained.published.checkpoint import Checkpoint

VARIABLE = "VIDJAX_CACHE"


def folder() -> Path:
    """Returns the folder in the environment variable `VIDJAX_CACHE`, or in the system's cache."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path(pooch.os_cache("vidjax")) / "weights"


def cached_file(row: Checkpoint) -> Path:
    """Returns the path of a checkpoint's file in the cache, whether it exists or not."""
    return folder() / row.file


def manual_instructions(row: Checkpoint) -> str:
    """Tells what to do if a file cannot be downloaded, as the end of an error message."""
    return f"download it some other way and put it at {cached_file(row)}"
