"""Identifies the code that writes a shard, since all machines of a cluster must run the same."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from pathlib import Path

# Packages that affect the bytes of a shard.
_PACKAGES = ("array-record", "av", "numpy", "opencv-python-headless", "protobuf")


@functools.cache
def code_version() -> str:
    """Returns the versions of vidjax (with a hash of its data code) and libraries, as text."""
    sum_ = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        sum_.update(file.read_bytes())
    parts = [f"vidjax {_version('vidjax')} (code {sum_.hexdigest()[:8]})"]
    return ", ".join(parts + [f"{name} {_version(name)}" for name in _PACKAGES])


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
