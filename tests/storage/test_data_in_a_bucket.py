"""Tests prepared data sets in a bucket: which files are fetched, and faults of the store."""

import re
import shutil

import pytest

from experiments.benchmark.many_shards import copy_into_shards
from tests.data.conftest import prepared_directory  # noqa: F401
from vidjax.data.dataset_errors import DamagedError, ReplacedError
from vidjax.data.pipeline import Augmentation, ClipShape, train_batches
from vidjax.data.prepared import PreparedSplit
from vidjax.data.views import Views, view_batches
from vidjax.storage import buckets, download
from vidjax.storage.local_copies import upload_folder
from vidjax.storage.paths import as_path
from vidjax.storage.shard_cache import ShardCache

LENGTHS = (4, 4, 4, 4, 4, 4, 4, 4)
SHAPE = ClipShape(frames=2, stride=1, size=16)
_SHARD = re.compile(r"GET /download/.*array_record-(\d+)-of")


@pytest.fixture(scope="module")
def on_disk(prepared_directory, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("sharded") / "1.0.0"
    copy_into_shards(prepared_directory, folder, "train", LENGTHS)
    return folder


@pytest.fixture(scope="module")
def far(on_disk, _store):
    """Copies the data set to a bucket; no test changes it."""
    folder = as_path(f"{_store.bucket('far-away')}/data/1.0.0")
    upload_folder(on_disk, folder)
    return folder


@pytest.fixture
def change(far, on_disk):
    """Changes or removes a file of the bucket until the test ends."""
    changed = set()

    def put(name, content):
        changed.add(name)
        if content is None:
            (far / name).unlink()
        else:
            buckets.write(str(far / name), content)

    yield put
    for name in changed:
        buckets.write(str(far / name), (on_disk / name).read_bytes())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(download, "_PAUSES", (0.0,))


def split(far, tmp_path, gigabytes=1.0):
    return PreparedSplit(far, "train", ShardCache(tmp_path / "copies", int(gigabytes * 1e9)))


def shards_fetched(store):
    """Returns the indices of the requested shards, once for each range."""
    return [int(found[1]) for line in store.requests() if (found := _SHARD.match(line))]


def shard(far, number):
    return next(far.glob(f"*array_record-{number:05}-of-*"))


def test_the_videos_equal_those_on_disk_and_a_second_reader_fetches_no_shard(
    store, far, on_disk, tmp_path
):
    there, here = split(far, tmp_path), PreparedSplit(on_disk, "train")
    assert len(there) == len(here) == sum(LENGTHS)
    for index in range(len(here)):
        one, other = there[index], here[index]
        assert (one.name, one.label, one.jpegs) == (other.name, other.label, other.jpegs)
    assert there.labels().tolist() == here.labels().tolist()
    assert there.manifest_digest == here.manifest_digest
    assert sorted(set(shards_fetched(store))) == list(range(8))
    again = split(far, tmp_path)
    assert [again[index].name for index in range(32)] == [here[index].name for index in range(32)]
    assert shards_fetched(store) == []


def test_opening_makes_few_requests_and_fetches_no_shard(store, far, tmp_path):
    split(far, tmp_path)
    # A request on a closed connection is repeated.
    asked = set(store.requests())
    assert len(asked) <= 10
    assert not any("array_record" in line for line in asked)


def test_only_shards_of_videos_that_are_read_are_fetched(store, far, tmp_path):
    videos = split(far, tmp_path)
    store.requests()
    for index in (9, 11, 8):
        videos[index]
    assert set(shards_fetched(store)) == {2}


def test_each_of_two_processes_fetches_the_shards_of_its_rows(store, far, tmp_path):
    fetched = []
    for process in range(2):
        videos = split(far, tmp_path / str(process))
        batches = train_batches(
            videos,
            SHAPE,
            Augmentation(),
            batch_size=4,
            seed=0,
            shards=2,
            process_index=process,
            process_count=2,
        )
        store.requests()
        # One epoch without its last batches, so that no shard of the next epoch is prefetched.
        for number in range(6):
            batches[number]
        fetched.append(set(shards_fetched(store)))
    assert not fetched[0] & fetched[1]
    assert len(fetched[0] | fetched[1]) >= 6


def test_evaluation_prefetches_shards(store, far, tmp_path):
    views = Views(clips=1, crops=1, size=16, shape=SHAPE)
    videos = split(far, tmp_path)
    batches = view_batches(videos, views, batch_size=4)
    store.requests()
    batches[0]
    while videos._records._cache._ahead:
        pass
    assert set(shards_fetched(store)) == {0, 1, 2}


@pytest.mark.parametrize("kind", ["cut", "unavailable", "wrong", "slow"])
def test_temporary_failures_of_the_store_only_cost_time(store, far, on_disk, tmp_path, kind):
    videos, here = split(far, tmp_path), PreparedSplit(on_disk, "train")
    store.misbehave(kind, match="/download/.*array_record-00003", times=2, seconds=0.2)
    assert videos[13].jpegs == here[13].jpegs
    (fault,) = store.behave()
    assert fault["met"] >= 1


def test_repeatedly_corrupted_downloads_are_reported_and_removed(store, far, tmp_path):
    videos = split(far, tmp_path)
    store.misbehave("wrong", match="/download/.*array_record-00003")
    with pytest.raises(OSError, match=r"gs://.*-00003-of-00008 arrives corrupted") as error:
        videos[13]
    assert "\n" not in str(error.value)
    assert [f.name for f in (tmp_path / "copies").iterdir() if not f.name.endswith(".lock")] == []
    store.behave()
    assert videos[13].name


def test_a_store_that_stays_down_is_reported_in_one_line(store, far, tmp_path, monkeypatch):
    monkeypatch.setattr(buckets.file_system(str(far)), "retries", 1)
    videos = split(far, tmp_path)
    store.misbehave("forbidden", match="/download/.*array_record")
    with pytest.raises(
        OSError, match=r"gs://.*array_record.*: this account has no permission"
    ) as error:
        videos[0]
    assert "\n" not in str(error.value)


def test_an_object_replaced_meanwhile_is_reported(far, change, on_disk, tmp_path):
    videos = split(far, tmp_path)
    videos[0]
    other = bytearray((on_disk / shard(far, 5).name).read_bytes())
    other[100] ^= 1
    change(shard(far, 5).name, bytes(other))
    with pytest.raises(ReplacedError, match=r"-00005-of-00008 was replaced since .*run the same"):
        videos[20]
    # Existing copies stay unchanged.
    assert videos[1].name


@pytest.mark.parametrize("kind", ["cut", "bit", "another", "gone", "features", "info", "seal"])
def test_damage_in_a_bucket_is_reported_as_on_disk(far, change, on_disk, tmp_path, kind):
    """The same fault on disk and in the bucket gives the same message."""
    copy = tmp_path / "1.0.0"
    shutil.copytree(on_disk, copy)
    name = shard(far, 6).name
    sound = (copy / name).read_bytes()
    middle = len(sound) // 2
    file, content = {
        "cut": (name, sound[:-1]),
        "bit": (name, sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :]),
        "another": (name, (copy / shard(far, 5).name).read_bytes()),
        "gone": (name, None),
        "features": ("features.json", b"{"),
        "info": ("dataset_info.json", None),
        "seal": ("sizes.json", b"{"),
    }[kind]
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_bytes(content)
    change(file, content)

    def read_all(folder):
        videos = PreparedSplit(folder, "train", ShardCache(tmp_path / "copies", 10**9))
        for index in range(len(videos)):
            videos._read(index)

    told = []
    for folder in (far, copy):
        with pytest.raises(DamagedError) as error:
            read_all(folder)
        told.append(str(error.value).replace(str(folder), "FOLDER"))
    assert told[0] == told[1]


def test_a_damaged_copy_is_fetched_again(store, far, on_disk, tmp_path):
    videos = split(far, tmp_path)
    videos[0]
    (copy,) = (f for f in (tmp_path / "copies").iterdir() if not f.name.endswith(".lock"))
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    videos._records._cache.close()
    copy.write_bytes(bytes(content))
    fresh, here = split(far, tmp_path), PreparedSplit(on_disk, "train")
    assert [fresh[index].jpegs for index in range(4)] == [here[index].jpegs for index in range(4)]


def test_a_limit_below_one_shard_is_refused_at_once(store, far, tmp_path):
    with pytest.raises(ValueError, match=r"array_record.* alone has .* GB: set data.cache_gb to"):
        split(far, tmp_path, 1e-6)
    assert shards_fetched(store) == []
