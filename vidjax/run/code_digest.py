"""The code that runs are made with: one table, and one job, must be made with one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import vidjax


def digest() -> str:
    """SHA-256 of vidjax as it is on disk, which a commit does not tell while files are edited."""
    root = Path(vidjax.__file__).parent
    total = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        total.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return total.hexdigest()
