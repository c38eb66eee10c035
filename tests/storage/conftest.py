"""Fixtures: buckets on this machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.storage.object_store import ObjectStore, object_store
from tests.storage.places import SETTINGS, Place
from tests.videos import numbered_frames, write_video
from vidjax.storage.local_copies import upload_folder
from vidjax.storage.paths import as_path

_numbers = itertools.count()


@pytest.fixture(scope="session")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for all tests of a process, since clients remember where it listens."""
    pytest.importorskip("gcp_storage_emulator", reason="the extra `dev` has the object store")
    pytest.importorskip("gcsfs", reason="the extra `gcs` is not installed")
    with object_store() as store:
        patch = pytest.MonkeyPatch()
        # Copies of shards must not go to the user's home folder.
        store.environment["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
        for name, value in store.environment.items():
            patch.setenv(name, value)
        yield store
        patch.undo()


@pytest.fixture
def store(_store: ObjectStore) -> Iterator[ObjectStore]:
    """Returns a store without faults and with no request recorded yet."""
    _store.requests()
    yield _store
    _store.behave()


@pytest.fixture
def bucket(store: ObjectStore) -> str:
    """Returns the URL of an empty bucket."""
    return store.bucket(f"bucket-{next(_numbers)}")


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """Makes videos of two classes, and a run on them."""
    root = tmp_path_factory.mktemp("local")
    for label, shade in (("dark", 0.3), ("light", 1.0)):
        for number in range(5):
            frames = (numbered_frames(10 + number, 24, 32) * shade).astype("uint8")
            write_video(root / "videos" / label / f"{number}.mp4", frames)
    place = Place(root, {})
    data = (f"--config.data.manifest={root / 'videos'}", f"--config.data.data_dir={root / 'data'}")
    place.settings = (*SETTINGS, *data)
    place.ok("train", *place.settings, f"--workdir={root / 'run'}")
    return place


@pytest.fixture(scope="session")
def remote(local, _store):
    """Makes the same videos and the same run in a bucket."""
    place = Place(as_path(_store.bucket("runs")), _store.environment)
    upload_folder(local.root / "videos", place.root / "videos")
    place.settings = local.settings
    place.ok("train", *place.settings, f"--workdir={place.root / 'run'}")
    return place
