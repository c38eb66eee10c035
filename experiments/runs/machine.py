"""What the runs are made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax


def hardware() -> str:
    """Processor, cores this process may use, and JAX's devices where they are others."""
    text = f"{_processor()}, {usable_cores()} cores"
    if jax.default_backend() == "cpu":
        return text
    kinds = [device.device_kind for device in jax.devices()]
    return f"{len(kinds)} x {kinds[0]}, {text}"


def default_workers() -> int:
    """Runs at a time: one a core, as such small networks fill no more; one on accelerators."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


def usable_cores() -> int:
    """Number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
