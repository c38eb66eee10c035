"""Reads how much memory this process has, as counted by Linux."""

from __future__ import annotations

_STATUS = "/proc/self/status"


def resident() -> int:
    """Returns the bytes that are in memory now; 0 on other systems."""
    return _entry("VmRSS:")


def peak() -> int:
    """Returns the most bytes in memory since the process started; 0 on other systems."""
    return _entry("VmHWM:")


def _entry(name: str) -> int:
    try:
        with open(_STATUS, encoding="utf-8") as stream:
            found = [line.split()[1] for line in stream if line.startswith(name)]
    except OSError:
        return 0
    return 1024 * int(found[0]) if found else 0
