"""Which code makes a shard: machines of a cluster must agree on it, or examples would differ."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from pathlib import Path

# What decides the bytes of a shard beside our own code.
_PACKAGES = ("array-record", "av", "numpy", "opencv-python-headless", "protobuf")


@functools.cache
def code_version() -> str:
    """Versions in words: vidjax's with a hash of the code of `vidjax.data`, and the libraries'."""
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
