"""Tests the cache of remote shards in a nearby bucket that all machines share."""

import re

import numpy as np
import pytest

from vidjax.storage.bucket_cache import BucketCache
from vidjax.storage.buckets import BucketError
from vidjax.storage.file_info import files_in
from vidjax.storage.paths import as_path
from vidjax.storage.shard_cache import ShardCache
from vidjax.storage.writing import write_bytes

CONTENT = np.random.default_rng(0).bytes(5000)


@pytest.fixture
def far(bucket):
    """Makes a folder with one shard in a bucket."""
    folder = as_path(f"{bucket}/far")
    write_bytes(folder / "shard", CONTENT)
    return folder


@pytest.fixture
def read(tmp_path, bucket):
    """Reads the shard like a machine without a copy; returns its content."""
    machines = []

    def read(far):
        machine = tmp_path / f"machine-{len(machines)}"
        machines.append(ShardCache(machine, None, BucketCache(as_path(f"{bucket}/near"))))
        opened = machines[-1].reading(
            far / "shard",
            files_in(far)["shard"],
            lambda path: open(path, "rb"),  # noqa: SIM115
        )
        with opened as stream:
            return stream.read()

    yield read
    for each in machines:
        each.close()


def downloads(store, folder):
    return [line for line in store.requests() if re.search(f"GET /download.*{folder}", line)]


def test_only_the_first_machine_reads_from_the_remote_store(store, far, read):
    assert read(far) == CONTENT
    assert downloads(store, "far")
    assert read(far) == CONTENT
    requests = store.requests()
    assert any(re.search("GET /download.*near", line) for line in requests)
    assert not any(re.search("GET /download.*far", line) for line in requests)


def test_a_wrong_nearby_copy_is_replaced(store, far, read, bucket):
    read(far)
    (copy,) = files_in(as_path(f"{bucket}/near"))
    write_bytes(as_path(f"{bucket}/near/{copy}"), bytes(len(CONTENT)))
    assert read(far) == CONTENT
    assert as_path(f"{bucket}/near/{copy}").read_bytes() == CONTENT


def test_a_replaced_shard_gets_another_nearby_copy(far, read, bucket):
    read(far)
    write_bytes(far / "shard", CONTENT[::-1])
    assert read(far) == CONTENT[::-1]
    assert len(files_in(as_path(f"{bucket}/near"))) == 2


def test_a_folder_on_a_slow_disk_is_shared_through_the_bucket_too(read, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "shard").write_bytes(CONTENT)
    assert read(tmp_path / "disk") == CONTENT
    assert read(tmp_path / "disk") == CONTENT


def test_a_read_only_bucket_is_reported_before_anything_is_read(store, bucket):
    store.misbehave("forbidden", match="/upload/.*near")
    with pytest.raises(BucketError, match="near"):
        BucketCache(as_path(f"{bucket}/near"))
