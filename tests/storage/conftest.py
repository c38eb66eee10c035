"""Buckets on loopback."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.storage.object_store import ObjectStore, object_store

_numbers = itertools.count()


@pytest.fixture(scope="session")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for all tests of a process, since clients remember where it listens."""
    pytest.importorskip("gcp_storage_emulator", reason="the extra `dev` has the object store")
    pytest.importorskip("gcsfs", reason="the extra `gcs` is not installed")
    with object_store() as store:
        patch = pytest.MonkeyPatch()
        # Copies of shards do not go to the home of whoever runs the tests.
        store.environment["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
        for name, value in store.environment.items():
            patch.setenv(name, value)
        yield store
        patch.undo()


@pytest.fixture
def store(_store: ObjectStore) -> Iterator[ObjectStore]:
    """A store that behaves, with no request counted yet."""
    _store.requests()
    yield _store
    _store.behave()


@pytest.fixture
def bucket(store: ObjectStore) -> str:
    """The URL of an empty bucket."""
    return store.bucket(f"bucket-{next(_numbers)}")
