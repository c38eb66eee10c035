"""Registry rows for tests, and a separate cache."""

from __future__ import annotations

import msgspec
import pytest

from vidjax.trained.published import registry
from vidjax.trained.published.checkpoint import Checkpoint

REAL = registry.checkpoints()


def named(name: str, **changes: object) -> Checkpoint:
    """Returns a row of the registry with some fields changed."""
    (row,) = (row for row in REAL if row.name == name)
    return msgspec.structs.replace(row, **changes)


def unsummed(row: Checkpoint) -> Checkpoint:
    """Returns a row without checksum and size, as random tensors cannot have the published ones."""
    return msgspec.structs.replace(row, sha256=None, sha256_prefix=None, bytes=None)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Sets an empty cache folder, which does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VIDJAX_CACHE", str(folder))
    return folder


@pytest.fixture
def register(monkeypatch):
    """Replaces the registry with some rows."""

    def put(*rows: Checkpoint) -> None:
        monkeypatch.setattr(registry, "checkpoints", lambda: rows)

    return put
