"""Tests local copies of files and folders of a bucket, and uploads."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidjax.storage import local_copies
from vidjax.storage.local_copies import local_copy, local_folder_copy, new_folder, remove_folder
from vidjax.storage.mirror import Mirror
from vidjax.storage.paths import as_path
from vidjax.storage.writing import check_writable, write_bytes, write_text, writing_bytes


@pytest.fixture(params=["disk", "bucket"])
def root(request, tmp_path):
    """Returns a folder on a disk, or in a bucket."""
    if request.param == "disk":
        return tmp_path
    return as_path(request.getfixturevalue("bucket"))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_local_copy_exists_while_it_is_used(root):
    write_bytes(root / "a.bin", b"content")
    with local_copy(root / "a.bin") as path:
        assert path.read_bytes() == b"content"
        assert path.suffix == ".bin"
        assert path.is_absolute()
        assert not str(path).startswith("gs:")
    assert (root / "a.bin").exists()


def test_a_folder_is_copied_with_its_subfolders(root):
    for name in ("x/a", "x/sub/b", "y/c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(root / name, name)
    with local_folder_copy(root / "x") as folder:
        assert contents(folder) == {"a": b"x/a", "sub/b": b"x/sub/b"}


def test_a_missing_file_or_folder_is_reported(bucket):
    with pytest.raises(FileNotFoundError, match="absent"), local_copy(as_path(f"{bucket}/absent")):
        pass
    with (
        pytest.raises(FileNotFoundError, match="absent"),
        local_folder_copy(as_path(f"{bucket}/absent")),
    ):
        pass


def test_a_new_folder_appears_when_it_is_complete(root):
    with new_folder(root / "new", last=["card.json"]) as folder:
        (folder / "card.json").write_text("{}")
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("a")
        assert not (root / "new" / "card.json").exists()
    assert contents(root / "new") == {"card.json": b"{}", "sub/a": b"a"}


def test_the_file_that_lists_the_others_is_uploaded_last(store, bucket):
    with new_folder(as_path(f"{bucket}/new"), last=["card.json"]) as folder:
        for name in ("a", "card.json", "d", "z"):
            (folder / name).write_text(name)
        store.requests()
    written = [line for line in store.requests() if line.startswith("POST")]
    assert len(written) == 4
    assert [path.name for path in as_path(f"{bucket}/new").iterdir()] == [
        "a",
        "card.json",
        "d",
        "z",
    ]
    times = {p.name: p.stat().st_mtime for p in as_path(f"{bucket}/new").iterdir()}
    assert max(times, key=times.get) == "card.json"


def test_after_an_error_no_folder_appears(root):
    def fill_and_fail() -> None:
        with new_folder(root / "new") as folder:
            (folder / "a").write_text("a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill_and_fail()
    assert list(root.rglob("*")) == []


def test_a_folder_is_removed_with_its_contents(root):
    (root / "x" / "sub").mkdir(parents=True)
    for name in ("x/a", "x/sub/b", "xy"):
        write_text(root / name, name)
    remove_folder(root / "x")
    remove_folder(root / "never-there")
    assert contents(root) == {"xy": b"xy"}


def test_large_files_are_copied_in_ranges_correctly(bucket, monkeypatch):
    content = bytes(range(256)) * (3 * 2**12)
    with writing_bytes(as_path(f"{bucket}/large")) as stream:
        stream.write(content)
        stream.seek(0)
        stream.write(content[:10])
    with as_path(f"{bucket}/large").open("rb") as stream:
        stream.seek(2**20)
        assert stream.read(100) == content[2**20 : 2**20 + 100]
    assert as_path(f"{bucket}/large").read_bytes() == content


def test_an_error_while_writing_leaves_the_old_file(root):
    write_text(root / "x", "old")

    def write_and_fail() -> None:
        with writing_bytes(root / "x") as stream:
            stream.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert contents(root) == {"x": b"old"}


def test_checking_a_writable_folder_leaves_nothing_there(root):
    check_writable(root)
    assert list(root.rglob("*")) == []


def test_an_unwritable_folder_is_reported(store, bucket):
    store.misbehave("forbidden", "POST")
    with pytest.raises(OSError, match="no permission"):
        check_writable(as_path(bucket))


def test_a_mirror_has_the_files_of_the_library(root):
    (root / "events").mkdir(exist_ok=True)
    mirror = Mirror(root / "events")
    with (mirror.here / "log").open("a") as stream:
        stream.write("one")
        stream.flush()
        mirror.sync()
        assert contents(root / "events") == {"log": b"one"}
        stream.write("two")
    mirror.close()
    assert contents(root / "events") == {"log": b"onetwo"}
    assert mirror.here.exists() == (root == as_path(str(root)) and "://" not in str(root))


def test_an_unwritable_temporary_folder_is_a_machine_error(bucket, monkeypatch, tmp_path):
    write_bytes(as_path(f"{bucket}/a"), b"content")
    monkeypatch.setattr(local_copies.tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError), local_copy(as_path(f"{bucket}/a")):
        pass
