"""Rows of a registry for tests, and a cache of their own."""

from __future__ import annotations

import msgspec
import pytest

from vidjax.trained.published import registry
from vidjax.trained.published.checkpoint import Checkpoint

REAL = registry.checkpoints()


def named(name: str, **changes: object) -> Checkpoint:
    """A row of the registry, some of its fields changed."""
    (row,) = (row for row in REAL if row.name == name)
    return msgspec.structs.replace(row, **changes)


def unsummed(row: Checkpoint) -> Checkpoint:
    """A row that says nothing of its file's bytes, which random tensors cannot have."""
    return msgspec.structs.replace(row, sha256=None, sha256_prefix=None, bytes=None)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, which is not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VIDJAX_CACHE", str(folder))
    return folder


@pytest.fixture
def register(monkeypatch):
    """Makes rows the whole registry."""

    def put(*rows: Checkpoint) -> None:
        monkeypatch.setattr(registry, "checkpoints", lambda: rows)

    return put
