"""A digest of vidjax's source code: a table, or a job, must be made with one version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import vidjax


def digest() -> str:
    """Returns a SHA-256 of vidjax on disk; a commit would not show uncommitted edits."""
    root = Path(vidjax.__file__).parent
    total = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        total.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return total.hexdigest()
