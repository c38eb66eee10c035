import os
import shutil

import pytest

from vidjax.data.manifest import Entry, Manifest
from vidjax.data.source_files import SourceFiles, describe_change, recorded_root


@pytest.fixture
def folder(tmp_path):
    """Writes three files of equal size and time with different bytes."""
    root = tmp_path / "videos"
    root.mkdir()
    for number in range(3):
        (root / f"v{number}.mp4").write_bytes(bytes([number]) * 1000)
        os.utime(root / f"v{number}.mp4", ns=(0, 10**18 + 123_456_789))
    return root


def sources(root):
    entries = [Entry(path.name, "a", "train") for path in sorted(root.iterdir())]
    return SourceFiles.of(Manifest(root, tuple(entries), ("a",)))


def touch(file, seconds):
    moment = file.stat().st_mtime_ns + int(seconds * 1e9)
    os.utime(file, ns=(moment, moment))


def test_moved_files_are_the_same(folder, tmp_path):
    before = sources(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert sources(moved).digest == before.digest
    assert sources(moved).is_same(before)


def change_size(file):
    file.write_bytes(b"x" * 1001)
    os.utime(file, ns=(0, 10**18 + 123_456_789))


def change_time(file):
    touch(file, 1e-6)


def change_bytes(file):
    file.write_bytes(b"x" * 1000)
    os.utime(file, ns=(0, 10**18 + 123_456_789))


@pytest.mark.parametrize("change", [change_size, change_time, change_bytes])
def test_another_size_time_or_content_makes_other_files(folder, change):
    before = sources(folder)
    change(folder / "v1.mp4")
    now = sources(folder)
    assert now.digest != before.digest
    assert not now.is_same(before)
    assert now.changed_since(before) == ([] if change is change_bytes else ["v1.mp4"])
    named = "but other contents" if change is change_bytes else "1 of 3 files .*'v1.mp4'"
    with pytest.raises(AssertionError, match=named):
        raise AssertionError(describe_change(now, before, folder))


def test_rounded_times_are_accepted_for_copies_but_not_in_place(folder, tmp_path):
    before = sources(folder)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for root in (copy, folder):
        for file in root.iterdir():
            os.utime(file, ns=(0, 10**18))
    assert sources(copy).is_same(before)
    assert not sources(folder).is_same(before)


def test_names_that_are_not_utf8_are_recorded_too(folder):
    name = os.fsdecode(b"caf\xe9,\n.mp4")
    (folder / name).write_bytes(b"x")
    found = sources(folder)
    found.write(folder)
    assert SourceFiles.read(folder) == found
    assert recorded_root(folder) == str(folder)


@pytest.mark.parametrize("name", ["files.csv", "source.json"])
def test_a_truncated_or_changed_record_is_ignored(folder, name):
    sources(folder).write(folder)
    whole = (folder / name).read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b"1000", b"1001")):
        (folder / name).write_bytes(damaged)
        assert damaged == whole or SourceFiles.read(folder) is None
