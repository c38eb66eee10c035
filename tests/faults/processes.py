"""Finds processes that tests have started, and their descendants."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

lists_children = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="only Linux lists a process' children"
)


def descendants(pid: int) -> list[int]:
    """Returns the ids of all descendants of a process."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def living(pids: Iterable[int]) -> list[int]:
    """Returns the processes that still run."""
    found = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            found += [pid] if state != "Z" else []
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until a condition is true or the time is up; returns its last value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
