"""Tests generating videos in several processes at once, and in processes that are killed."""

import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.faults.processes import descendants, lists_children, living, wait_until
from vidjax.data.decode import read_video
from vidjax.data.marionette import MarionetteSpec, generate
from vidjax.data.marionette.generate import mask_file

SPEC = MarionetteSpec(train_per_class=3, test_per_class=1, classes=("walk", "box"))
SCRIPT = """
import sys
from pathlib import Path
from tests.faults.test_marionette import SPEC
from vidjax.data.marionette import generate

if __name__ == "__main__":
    generate(Path(sys.argv[1]), SPEC, workers=2, progress=lambda *done: print(*done, flush=True))
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that generates into a folder."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "videos")]
    return functools.partial(
        subprocess.Popen,
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return contents(generate(tmp_path_factory.mktemp("unbroken"), SPEC, workers=2).parent)


def contents(folder):
    """Returns the contents of all files, except for the records of owners."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name[0] != ".")
    return {file.relative_to(folder): file.read_bytes() for file in files}


def test_two_processes_generate_each_video_once(start, tmp_path, unbroken):
    both = [start(), start()]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    made = [out for out, _ in told if out]
    assert len(made) == 1, "one makes all videos, the other waits"
    assert any("is in use by" in errors for _, errors in told)
    assert contents(tmp_path / "videos") == unbroken
    for file in (tmp_path / "videos").rglob("*.mp4"):
        assert len(read_video(file).frames)


def test_unfinished_files_of_another_process_are_not_touched(tmp_path, unbroken):
    video = tmp_path / "videos/train/walk/walk_0000.mp4"
    unfinished = [video.with_suffix(".part"), mask_file(video).with_suffix(".part")]
    for file in unfinished:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"half")
    generate(tmp_path, SPEC, workers=2)
    assert [file.read_bytes() for file in unfinished] == [b"half", b"half"]
    for file in unfinished:
        file.unlink()
    assert contents(tmp_path) == unbroken


@lists_children
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_a_killed_process(start, tmp_path, unbroken, number):
    process = start()
    assert process.stdout.readline()
    workers = descendants(process.pid)
    assert len(workers) >= 2
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    wait_until(lambda: not living(workers), 30.0)
    assert (living(workers), errors) == ([], "")
    generate(tmp_path / "videos", SPEC, workers=1)
    found = contents(tmp_path / "videos")
    # A kill in the middle of a file leaves its unfinished name.
    assert {name: found[name] for name in unbroken} == unbroken
    assert all(name.suffix == ".part" for name in found.keys() - unbroken.keys())


@pytest.mark.slow
@lists_children
@pytest.mark.timeout(900)
def test_generation_killed_at_any_time_resumes_to_the_same_files(start, tmp_path, unbroken):
    rng = random.Random(0)
    for _ in range(12):
        shutil.rmtree(tmp_path / "videos", ignore_errors=True)
        for _ in range(2):
            process = start()
            time.sleep(rng.uniform(0.5, 3.0))
            process.kill()
            process.communicate()
        generate(tmp_path / "videos", SPEC, workers=1)
        found = contents(tmp_path / "videos")
        assert {name: found[name] for name in unbroken} == unbroken
        for file in (tmp_path / "videos").rglob("*.mp4"):
            assert len(read_video(Path(file)).frames)
