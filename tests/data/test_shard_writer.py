"""Tests writing a shard: always the same bytes, complete or absent, and verified."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.commands import ROOT
from tests.videos import numbered_frames, write_video
from vidjax import records
from vidjax.data import shard_writer
from vidjax.data.catalog import Storage
from vidjax.data.code_version import code_version
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.manifest_entry import Entry
from vidjax.data.shard_plan import Shard
from vidjax.data.shard_writer import MismatchError, Task, find, make

MAKE = """
import sys
import msgspec
from pathlib import Path
from vidjax.data.shard_writer import Task, make
from vidjax.data.decoded_cache import DecodedCache

if __name__ == "__main__":
    task = msgspec.json.decode(sys.stdin.read(), type=Task)
    make(task, DecodedCache(Path(sys.argv[1])), workers=2)
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_video(root / f"{number}.mp4", numbered_frames(3 + number))
    (root / "broken.mp4").write_text("no video")
    return root


def task_of(videos, place):
    entries = tuple(Entry(f"{name}.mp4", "walk", "train") for name in ("2", "broken", "0", "1"))
    return Task(
        Shard("set-train.array_record-00000-of-00001", "train", entries),
        root=str(videos),
        folder=str(place / "set"),
        made=str(place / "made"),
        classes=("sit", "walk"),
        multi_label=False,
        storage=Storage(),
        code=code_version(),
    )


@pytest.fixture
def task(videos, tmp_path):
    return task_of(videos, tmp_path)


def test_a_shard_is_made_once_and_has_the_same_bytes_in_every_process(task, videos, tmp_path):
    made = make(task, DecodedCache(tmp_path / "cache"), workers=1)
    assert made.videos == ["2.mp4", "0.mp4", "1.mp4"]
    assert list(made.broken) == ["broken.mp4"]
    file = Path(task.folder) / made.file
    written = file.stat().st_mtime_ns
    assert make(task, DecodedCache(tmp_path / "other"), workers=1) == made
    assert file.stat().st_mtime_ns == written
    other = task_of(videos, tmp_path / "elsewhere")
    (tmp_path / "make.py").write_text(MAKE)
    subprocess.run(
        [sys.executable, tmp_path / "make.py", tmp_path / "second"],
        input=msgspec.json.encode(msgspec.to_builtins(other)),
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "PATH": ""},
        check=True,
    )
    assert (Path(other.folder) / made.file).read_bytes() == file.read_bytes()
    assert other.record.read_bytes() == task.record.read_bytes()


def test_a_damaged_shard_or_one_of_other_videos_is_written_again(task, tmp_path):
    made = make(task, DecodedCache(tmp_path / "cache"), workers=1)
    file = Path(task.folder) / made.file
    whole, record = file.read_bytes(), task.record.read_bytes()
    place = whole.index(b"\xff\xd8\xff") + 50

    def swapped():
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

    def renamed():
        other = msgspec.structs.replace(made, videos=["3.mp4", *made.videos[1:]])
        records.write(task.record, msgspec.to_builtins(other))

    for damage in (
        file.unlink,
        lambda: file.write_bytes(whole[:-1]),
        lambda: file.write_bytes(bytes(len(whole))),
        swapped,
        task.record.unlink,
        lambda: task.record.write_bytes(record[: len(record) // 2]),
        renamed,
    ):
        damage()
        assert find(task) is None
        assert make(task, DecodedCache(tmp_path / "cache"), workers=1) == made
        assert (file.read_bytes(), task.record.read_bytes()) == (whole, record)


def test_a_shard_that_cannot_be_read_back_is_a_machine_error_and_is_removed(
    task, tmp_path, monkeypatch
):
    monkeypatch.setattr(shard_writer, "_sums", lambda file: [0, 0, 0])
    with pytest.raises(OSError, match="what was written cannot be read back"):
        make(task, DecodedCache(tmp_path / "cache"), workers=1)
    assert not list(Path(task.folder).iterdir())
    assert not task.record.exists()


def test_another_code_version_writes_nothing(task, tmp_path):
    other = Task(**{**{name: getattr(task, name) for name in Task.__annotations__}, "code": "x"})
    with pytest.raises(MismatchError, match="a worker runs other code than the command: vidjax"):
        make(other, DecodedCache(tmp_path / "cache"), workers=1)
    assert not Path(task.folder).exists()
