"""Describes the machine: processor, cores and devices."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax


def hardware() -> str:
    """Describes the processor, the usable cores and the accelerators."""
    text = f"{_processor()}, {usable_cores()} cores"
    if jax.default_backend() == "cpu":
        return text
    kinds = [device.device_kind for device in jax.devices()]
    return f"{len(kinds)} x {kinds[0]}, {text}"


def default_workers() -> int:
    """Returns the default number of runs at a time: one per core, or one on accelerators."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


def usable_cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
