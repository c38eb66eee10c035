"""Tests preparing without a cluster if videos, tars and the data set are in a bucket."""

import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from tests.commands import ROOT, refusal, run_command
from tests.faults.processes import descendants, living, wait_until
from tests.storage.dask_cluster import made_in, slow_python
from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data import catalog
from vidjax.data.manifest import read_manifest
from vidjax.data.prepared import PreparedSplit
from vidjax.data.source_files import SourceFiles
from vidjax.data.verdicts import check_video
from vidjax.storage.local_copies import upload_folder
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_bytes, write_text

EXACT = catalog.Storage(short_side=48, quality=95, bad_video_budget=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for number in range(4):
        place = root / ("sit", "walk")[number % 2] / f"{number}.mp4"
        write_video(place, numbered_frames(3 + number))
    (root / "walk/broken.mp4").write_text("no video")
    (root / "walk/notes.txt").write_text("no video either")
    return root


@pytest.fixture
def videos(folder, bucket):
    upload_folder(folder, as_path(f"{bucket}/videos"))
    return f"{bucket}/videos"


def prepare(data_dir, manifest, name="video_folder", **settings):
    notes = []
    request = catalog.Request(
        as_path(data_dir),
        **({"manifest": str(manifest)} if name == "video_folder" else {"manual_dir": manifest}),
        workers=1,
        storage=EXACT,
        note=notes.append,
        **settings,
    )
    return catalog.prepare(name, request), notes


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def numbers(folder, split):
    source = PreparedSplit(folder, split)
    records = [source[index] for index in range(len(source))]
    return {each.name: read_numbers(each.decode(np.arange(len(each.jpegs)))) for each in records}


def test_a_data_set_in_a_bucket_equals_one_on_a_disk(folder, bucket, tmp_path, store):
    here, notes = prepare(tmp_path / "data", folder)
    there, remote_notes = prepare(f"{bucket}/data", folder)
    assert content(there) == content(here)
    assert numbers(there, "train") == numbers(here, "train")
    names = [note.replace(str(there), str(here)) for note in remote_notes]
    assert names == notes
    assert {path.name for path in there.parent.iterdir()} == {there.name}
    # It is found by a second call, and nothing is written.
    store.requests()
    assert prepare(f"{bucket}/data", folder)[0] == there
    assert not [line for line in store.requests() if line.startswith(("POST", "DELETE", "PUT"))]


def test_videos_and_manifests_of_a_bucket_are_read_in_place(videos, bucket, tmp_path):
    there, notes = prepare(tmp_path / "data", videos)
    assert any("skipped 1 x .txt" in note for note in notes)
    shown = numbers(there, "train") | numbers(there, "test")
    assert shown == {f"{('sit', 'walk')[k % 2]}/{k}.mp4": list(range(3 + k)) for k in range(4)}
    broken = (there / "excluded.csv").read_text()
    assert f"{videos}/walk/broken.mp4: not a readable video" in broken
    lines = ["path,label,split", f"{videos}/sit/0.mp4,sit,train", "videos/walk/1.mp4,walk,train"]
    write_text(as_path(f"{bucket}/list.csv"), "\n".join(lines) + "\n")
    listed, _ = prepare(tmp_path / "listed", f"{bucket}/list.csv")
    assert numbers(listed, "train") == {
        f"{videos}/sit/0.mp4": [0, 1, 2],
        "videos/walk/1.mp4": [0, 1, 2, 3],
    }
    verdict = check_video("walk/1.mp4", as_path(videos))
    assert (verdict.verdict, verdict.frames) == ("ok", 4)
    assert check_video("walk/2.mp4", as_path(videos)).verdict == "absent"


def test_a_video_replaced_in_a_bucket_is_another_data_set(videos, folder):
    before = SourceFiles.of(read_manifest(videos))
    assert SourceFiles.of(read_manifest(videos)).is_same(before)
    write_bytes(as_path(f"{videos}/sit/0.mp4"), (folder / "sit/2.mp4").read_bytes())
    now = SourceFiles.of(read_manifest(videos))
    assert now.changed_since(before) == ["sit/0.mp4"]
    assert now.digest != before.digest


def test_a_list_of_missing_videos_is_refused_in_one_line(videos, bucket, tmp_path):
    write_text(as_path(f"{bucket}/list.csv"), "path,label,split\nvideos/sit/9.mp4,sit,train\n")
    done = run_command(
        "experiments.prepare", "--dataset=video_folder", f"--manifest={bucket}/list.csv",
        f"--data_dir={tmp_path}",
    )  # fmt: skip
    assert f"lists 1 files that do not exist below {bucket}: 'videos/sit/9.mp4'" in refusal(done)


@pytest.mark.slow
def test_temporary_failures_of_the_store_lose_no_video(folder, bucket, store, tmp_path):
    here, _ = prepare(tmp_path / "data", folder)
    store.misbehave("unavailable", "POST .*upload", times=2)
    store.misbehave("cut", "GET .*download", times=2)
    there, _ = prepare(f"{bucket}/data", folder)
    assert store.behave()[0]["met"] == 2
    assert content(there) == content(here)


@pytest.mark.slow
def test_a_refused_write_ends_the_command_in_one_line_and_it_resumes(folder, bucket, store):
    store.misbehave("forbidden", "POST .*upload.*")
    command = (
        "experiments.prepare", "--dataset=video_folder", f"--manifest={folder}",
        f"--data_dir={bucket}/data", "--bad_video_budget=0.5",
    )  # fmt: skip
    done = run_command(*command)
    assert done.returncode == 74, done.stderr
    assert "has no permission for that" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    store.behave()
    assert run_command(*command).returncode == 0


@pytest.mark.slow
def test_a_killed_command_resumes_and_two_at_once_make_one_data_set(
    folder, bucket, tmp_path, store
):
    videos = tmp_path / "many"
    for number in range(24):
        place = videos / ("sit", "walk")[number % 2] / f"{number}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "sit/2.mp4", place)
    command = [
        sys.executable, "-W", "ignore", "-m", "experiments.prepare", "--dataset=video_folder",
        f"--manifest={videos}", f"--data_dir={bucket}/data", "--short_side=1000", "--workers=1",
    ]  # fmt: skip

    environment = {**os.environ, "PYTHONPATH": slow_python(tmp_path), "SLOW_VIDEOS": "0.5"}

    def start():
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)

    first = start()
    assert wait_until(lambda: made_in(as_path(f"{bucket}/data")), 90)
    workers = descendants(first.pid)
    first.kill()
    first.communicate()
    assert wait_until(lambda: not living(workers), 30)
    files = list(as_path(f"{bucket}/data").rglob("*array_record-?????-of-?????"))
    shards = {file: file.stat() for file in files}
    assert shards
    both = [start(), start()]
    ended = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sum("waiting until it has finished" in errors for _, errors in ended) == 1
    (there,) = {out.splitlines()[-1] for out, _ in ended}
    assert {file: file.stat() for file in shards} == shards
    alone = catalog.Request(
        tmp_path / "right", manifest=str(videos), storage=catalog.Storage(short_side=1000)
    )
    assert content(as_path(there)) == content(catalog.prepare("video_folder", alone))


def test_tars_of_a_bucket_are_read_in_place(folder, bucket, tmp_path):
    with tarfile.open(tmp_path / "train-0.tar", "w") as tar:
        for key, path in (("a", "sit/0.mp4"), ("b", "walk/3.mp4")):
            tar.add(folder / path, f"{key}.mp4")
            (tmp_path / "cls").write_text(path.split("/")[0])
            tar.add(tmp_path / "cls", f"{key}.cls")
    tars = as_path(f"{bucket}/tars")
    write_bytes(tars / "train-0.tar", (tmp_path / "train-0.tar").read_bytes())
    there, _ = prepare(f"{bucket}/data", str(tars), "tar")
    assert numbers(there, "train") == {
        "train-0.tar/a.mp4": [0, 1, 2],
        "train-0.tar/b.mp4": list(range(6)),
    }
