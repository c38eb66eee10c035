"""Tests local copies of shards, with threads and real processes."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from vidjax.storage import download, shard_cache
from vidjax.storage.download import ReplacedMeanwhileError
from vidjax.storage.file_info import files_in
from vidjax.storage.shard_cache import ShardCache

ROOT = Path(__file__).parents[2]
SIZE = 1000
READER = """
import os, sys, time
from pathlib import Path
from vidjax.storage import download
from vidjax.storage.file_info import files_in
from vidjax.storage.shard_cache import ShardCache
far, folder, name, slowly = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
read = download._read
def told(source, start, end):
    print("copies", flush=True)
    if slowly:
        sys.stdin.readline()
    return read(source, start, end)
download._read = told
cache = ShardCache(folder, 2500)
with cache.reading(far / name, files_in(far)[name], lambda path: open(path, "rb")) as stream:
    print("reads", len(stream.read()), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def far(tmp_path):
    """Makes five different files in a folder that counts as remote."""
    folder = tmp_path / "far"
    folder.mkdir()
    for number in range(5):
        rng = np.random.default_rng(number)
        (folder / f"shard-{number}").write_bytes(rng.bytes(SIZE))
    return folder


@pytest.fixture
def copies(monkeypatch):
    """Records the names of copied files, in order."""
    names, copy = [], download._copy

    def noted(source, stored, file):
        names.append(source.name)
        return copy(source, stored, file)

    monkeypatch.setattr(download, "_copy", noted)
    return names


@pytest.fixture
def cache_in():
    """Makes caches that close their files when the test ends."""
    made = []

    def make(folder, limit=None):
        made.append(ShardCache(folder, limit))
        return made[-1]

    yield make
    for each in made:
        each.close()


def opened(path):
    return open(path, "rb")


def read(cache, file):
    with cache.reading(file, files_in(file.parent)[file.name], opened) as f:
        f.seek(0)
        return f.read()


def held(cache):
    """Returns the sizes of the copies, complete or not."""
    return [
        file.stat().st_size for file in cache.folder.iterdir() if not file.name.endswith(".lock")
    ]


def reader(far, folder, name, slowly=""):
    command = [sys.executable, "-c", READER, str(far), str(folder), name, slowly]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, **pipes)


def test_a_file_is_copied_once_and_read_as_it_is(cache_in, far, copies, tmp_path):
    cache = cache_in(tmp_path / "copies", 10 * SIZE)
    for _ in range(3):
        assert read(cache, far / "shard-1") == (far / "shard-1").read_bytes()
    assert read(cache_in(tmp_path / "copies", 10 * SIZE), far / "shard-1")
    assert copies == ["shard-1"]


def test_the_least_recently_read_copy_is_removed_first(
    cache_in, far, copies, tmp_path, monkeypatch
):
    monkeypatch.setattr(shard_cache, "_IDLE", 0)
    cache = cache_in(tmp_path / "copies", 3 * SIZE)
    for number in (0, 1, 2, 0, 3):
        read(cache, far / f"shard-{number}")
        time.sleep(0.01)
        assert sum(held(cache)) <= 3 * SIZE
    assert copies == ["shard-0", "shard-1", "shard-2", "shard-3"]
    for number in (0, 2, 3):
        read(cache, far / f"shard-{number}")
    assert len(copies) == 4
    read(cache, far / "shard-1")
    assert copies[-1] == "shard-1"


def test_a_copy_in_use_is_never_removed(cache_in, far, tmp_path):
    cache = cache_in(tmp_path / "copies", 2 * SIZE)
    facts = files_in(far)["shard-0"]
    with cache.reading(far / "shard-0", facts, opened) as stream:
        for number in (1, 2, 3, 4):
            read(cache, far / f"shard-{number}")
        (name,) = (each for each in os.listdir(cache.folder) if each.endswith("-shard-0"))
        assert (cache.folder / name).read_bytes() == stream.read()
    assert sum(held(cache)) == 2 * SIZE


def test_a_copy_in_use_by_another_process_is_kept_and_the_full_cache_reported(
    cache_in, far, tmp_path, monkeypatch
):
    monkeypatch.setattr(shard_cache, "_PATIENCE", 0.5)
    cache = cache_in(tmp_path / "copies", 1500)
    with reader(far, cache.folder, "shard-0") as other:
        assert other.stdout.readline() == "copies\n"
        assert other.stdout.readline() == f"reads {SIZE}\n"
        with pytest.raises(ValueError, match=r"copies are being read at once: raise data.cache_gb"):
            read(cache, far / "shard-1")
        other.communicate("\n")
    assert read(cache, far / "shard-1")
    assert held(cache) == [SIZE]


def test_one_process_copies_and_the_others_wait_for_it(cache_in, far, tmp_path):
    folder = tmp_path / "copies"
    with reader(far, folder, "shard-2", "slowly") as first:
        assert first.stdout.readline() == "copies\n"
        others = [reader(far, folder, "shard-2") for _ in range(2)]
        time.sleep(1)
        assert [each.poll() for each in others] == [None, None]
        first.stdin.write("\n")
        first.stdin.flush()
        assert first.stdout.readline() == f"reads {SIZE}\n"
        # They read concurrently with the first one.
        for each in others:
            assert each.communicate("\n", timeout=60)[0] == f"reads {SIZE}\n"
        first.communicate("\n")


def test_an_unfinished_copy_is_never_used_and_is_removed(cache_in, far, tmp_path):
    folder = tmp_path / "copies"
    with reader(far, folder, "shard-3", "slowly") as other:
        assert other.stdout.readline() == "copies\n"
        other.send_signal(signal.SIGKILL)
    (part,) = folder.glob("*.part")
    assert part.stat().st_size == SIZE
    cache = cache_in(folder, 10 * SIZE)
    assert read(cache, far / "shard-3") == (far / "shard-3").read_bytes()
    assert held(cache) == [SIZE]


def test_unfinished_copies_are_removed_to_make_room(cache_in, far, tmp_path):
    folder = tmp_path / "copies"
    with reader(far, folder, "shard-3", "slowly") as other:
        assert other.stdout.readline() == "copies\n"
        other.send_signal(signal.SIGKILL)
    cache = cache_in(folder, 1500)
    assert read(cache, far / "shard-0") == (far / "shard-0").read_bytes()
    assert held(cache) == [SIZE]


def test_a_limit_below_one_file_is_refused_with_a_sufficient_value(cache_in, far, tmp_path):
    cache = cache_in(tmp_path / "copies", SIZE - 1)
    with pytest.raises(ValueError, match=r"shard-0 alone has 1e-06 GB: set data.cache_gb to") as e:
        read(cache, far / "shard-0")
    assert "\n" not in str(e.value)
    assert held(cache) == []


def test_a_full_disk_is_reported_with_the_folder_and_leaves_nothing(
    cache_in, far, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    cache = cache_in(tmp_path / "copies", 10 * SIZE)
    with pytest.raises(OSError, match="No space left on device") as error:
        read(cache, far / "shard-0")
    assert error.value.filename == str(cache.folder)
    assert held(cache) == []


def test_copies_are_removed_when_other_programs_fill_the_disk(cache_in, far, tmp_path, monkeypatch):
    """The disk is full with two copies."""
    allocate = os.posix_fallocate
    cache = cache_in(tmp_path / "copies", 10 * SIZE)

    def small(descriptor, start, size):
        if sum(held(cache)) > 2 * SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", small)
    for number in range(5):
        assert read(cache, far / f"shard-{number}") == (far / f"shard-{number}").read_bytes()
    assert sum(held(cache)) == 2 * SIZE


def test_a_replaced_file_is_copied_again_or_reported(cache_in, far, copies, tmp_path):
    cache = cache_in(tmp_path / "copies", 10 * SIZE)
    before = files_in(far)["shard-0"]
    read(cache, far / "shard-0")
    (far / "new").write_bytes(b"x" * SIZE)
    (far / "new").replace(far / "shard-0")
    assert read(cache, far / "shard-0") == b"x" * SIZE
    assert copies == ["shard-0", "shard-0"]
    other = cache_in(tmp_path / "others", 10 * SIZE)
    with (
        pytest.raises(ReplacedMeanwhileError, match="was replaced since its folder was listed"),
        other.reading(far / "shard-0", before, opened),
    ):
        pass
    assert held(other) == []


def test_prefetched_files_exist_when_they_are_read(cache_in, far, copies, tmp_path):
    cache = cache_in(tmp_path / "copies", 10 * SIZE)
    for number in (3, 4, 3):
        cache.expect(far / f"shard-{number}", files_in(far)[f"shard-{number}"])
    deadline = time.monotonic() + 20
    while len(held(cache)) < 2 or any(cache.folder.glob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    read(cache, far / "shard-3")
    assert sorted(copies) == ["shard-3", "shard-4"]


def test_prefetching_removes_no_copy_in_use(cache_in, far, tmp_path):
    cache = cache_in(tmp_path / "copies", 1500)
    facts = files_in(far)
    with cache.reading(far / "shard-0", facts["shard-0"], opened):
        cache.expect(far / "shard-1", facts["shard-1"])
        while cache._ahead:
            time.sleep(0.01)
        assert held(cache) == [SIZE]


def test_many_threads_that_read_with_little_room_get_the_right_bytes(cache_in, far, tmp_path):
    cache = cache_in(tmp_path / "copies", 2 * SIZE)
    right = {name: hashlib.sha256((far / name).read_bytes()).digest() for name in os.listdir(far)}
    wrong, facts = [], files_in(far)

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            name = f"shard-{rng.integers(5)}"
            with cache.reading(far / name, facts[name], opened) as stream:
                content = os.pread(stream.fileno(), SIZE, 0)
            if hashlib.sha256(content).digest() != right[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(held(cache)) <= 2 * SIZE


def test_large_files_are_downloaded_completely_in_ranges(cache_in, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_RANGE", 1000)
    (tmp_path / "far").mkdir()
    file = tmp_path / "far" / "large"
    file.write_bytes(np.random.default_rng(0).bytes(33_333))
    assert read(cache_in(tmp_path / "copies"), file) == file.read_bytes()
