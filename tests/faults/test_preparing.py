"""Tests preparing on failing machines, in killed processes, and data sets of other users."""

import contextlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.faults.processes import descendants, lists_children, living, wait_until
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit

COMMAND = (sys.executable, "-m", "experiments.prepare", "--dataset=video_folder", "--workers=2")
VIDEOS = 8


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for number in range(VIDEOS):
        frames = numbered_frames(30, 96, 128)
        write_video(root / ("sit", "walk")[number % 2] / f"{number}.mp4", frames)
    return root


@pytest.fixture
def command(videos, tmp_path):
    return (*COMMAND, f"--manifest={videos}", f"--data_dir={tmp_path / 'data'}")


def call(command, *, shell="", **settings):
    """Runs a command, optionally in a shell after other shell commands."""
    settings = {"cwd": ROOT, "capture_output": True, "text": True} | settings
    line = ["bash", "-c", f'{shell}; exec "$@"', "bash", *command] if shell else command
    return subprocess.run(line, **settings)


def prepared(done):
    """Returns the data set that a command has prepared."""
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def content(folder):
    """Returns frames, class and frame rate of every video of a data set, by split, in order."""
    found = {}
    for name in ("train", "test"):
        split = PreparedSplit(folder, name)
        records = [split[index] for index in range(len(split))]
        found[name] = [(each.name, list(each.jpegs), each.label, each.fps) for each in records]
    return found


def assert_the_machine_is_blamed(done, reason):
    assert done.returncode == 74, done.stderr
    *notes, last = [line for line in done.stderr.splitlines() if not line.startswith("prepare vid")]
    assert last.startswith(f"error: {reason}")
    assert all(
        note.startswith("preparation stopped because of an error of this machine") for note in notes
    )
    assert "Traceback" not in done.stderr


def finish(videos, tmp_path):
    """Prepares the remaining videos in this process."""
    notes = []
    request = catalog.Request(tmp_path / "data", manifest=str(videos), workers=2, note=notes.append)
    folder = catalog.prepare("video_folder", request)
    assert all("became the test set" in note for note in notes)
    assert sum(map(len, content(folder).values())) == VIDEOS
    assert not list(PreparedSplit(folder, "train").broken)
    left = sorted(file.name for file in folder.parent.iterdir())
    assert left == [folder.name, f"{folder.name}.lock"]


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("ulimit -f 40", "File too large: /"),
        pytest.param("ulimit -n 16", "Too many open files", marks=pytest.mark.slow),
    ],
)
def test_a_machine_failure_stops_preparing_and_excludes_no_video(
    command, videos, tmp_path, limit, reason
):
    assert_the_machine_is_blamed(call(command, shell=limit), reason)
    finish(videos, tmp_path)


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def open_to_all(tmp_path):
    """Lets other users enter pytest's folders."""
    changed = []
    for folder in tmp_path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            changed.append((folder, mode))
            folder.chmod(mode | stat.S_IXOTH)
    yield
    for folder, mode in changed:
        folder.chmod(mode)


# Another user may be unable to read the libraries, so all are imported before.
AS_NOBODY = """
import os, sys
from pathlib import Path
from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit

def prepare(data, videos):
    request = catalog.Request(Path(data), manifest=videos, workers=1)
    print(len(PreparedSplit(catalog.prepare("video_folder", request), "train")))

prepare(*sys.argv[1:3])
os.setgid(65534)
os.setuid(65534)
try:
    prepare(*sys.argv[3:5])
except OSError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def finished(videos, tmp_path):
    """Makes videos and their data set, which other users can read but not write."""
    shutil.copytree(videos, tmp_path / "videos")
    request = catalog.Request(tmp_path / "data", manifest=str(tmp_path / "videos"))
    catalog.prepare("video_folder", request)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return str(tmp_path / "data"), str(tmp_path / "videos")


def as_another_user(finished, data, videos):
    """Prepares as an unprivileged user; returns exit code, output and the last error line."""
    done = call((sys.executable, "-c", AS_NOBODY, *finished, str(data), str(videos)))
    return done.returncode, done.stdout, done.stderr.splitlines()[-1:]


@needs_root
@pytest.mark.usefixtures("open_to_all")
def test_a_finished_data_set_of_another_user_is_read(finished):
    assert as_another_user(finished, *finished)[:2] == (0, "6\n6\n")


@needs_root
@pytest.mark.usefixtures("open_to_all")
def test_a_folder_that_cannot_be_written_is_named(finished, videos, tmp_path):
    data, _ = finished
    shutil.copytree(videos, other := tmp_path / "other", copy_function=shutil.copyfile)
    for path in (other, *other.rglob("*")):
        path.chmod(0o755)
    code, _, (last,) = as_another_user(finished, data, other)
    assert code == 1
    assert last.startswith(f"PermissionError: [Errno 13] Permission denied: '{data}")


@needs_root
@pytest.mark.usefixtures("open_to_all")
def test_a_video_without_read_permission_stops_preparing_and_is_named(finished):
    data, own = finished
    (Path(own) / "walk/3.mp4").chmod(0o600)
    code, _, (last,) = as_another_user(finished, data, own)
    assert (code, last) == (1, f"PermissionError: [Errno 13] Permission denied: '{own}/walk/3.mp4'")


@lists_children
@pytest.mark.parametrize(
    "whom", ["the main process", pytest.param("all processes", marks=pytest.mark.slow)]
)
def test_sigterm_ends_preparing_in_one_line_and_the_same_command_resumes(
    command, videos, tmp_path, whom
):
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert wait_until(lambda: list(tmp_path.rglob("*.npz")))
    workers = descendants(process.pid)
    assert len(workers) >= 2
    send = os.kill if whom == "the main process" else os.killpg
    send(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    lines = [line for line in errors.splitlines() if not line.startswith("prepare videos")]
    assert process.returncode == 75, errors
    assert lines == ["ended by SIGTERM; run the same command again to continue"]
    wait_until(lambda: not living(workers), 30.0)
    assert living(workers) == []
    finish(videos, tmp_path)


@pytest.mark.slow
@lists_children
@pytest.mark.timeout(1800)
def test_preparation_killed_at_any_time_resumes_to_the_same_data_set(videos, tmp_path):
    base = (*COMMAND, f"--manifest={videos}")
    start = time.monotonic()
    right = content(prepared(call((*base, f"--data_dir={tmp_path / 'whole'}"))))
    whole = time.monotonic() - start
    rng, command = random.Random(0), (*base, f"--data_dir={tmp_path / 'data'}")
    for attempt in range(8):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        for _ in range(2):
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(rng.uniform(0.3, 1.0) * whole)
            workers = descendants(process.pid)
            process.kill()
            process.wait()
            wait_until(lambda pids=workers: not living(pids))
            assert living(workers) == [], attempt
        folder = prepared(call(command))
        assert content(folder) == right, attempt
        left = sorted(file.name for file in folder.parent.iterdir())
        assert left == [folder.name, f"{folder.name}.lock"], attempt


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """Mounts a small disk in memory at `folder`, or skips the test."""
    folder.mkdir()
    options = f"size={kilobytes}k"
    mounted = call(("mount", "-t", "tmpfs", "-o", options, "none", str(folder)))
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield lambda size: call(("mount", "-o", f"remount,size={size}k", str(folder)))
    finally:
        call(("umount", str(folder)))


@pytest.mark.slow
@needs_root
@pytest.mark.timeout(1800)
def test_a_disk_that_fills_at_any_time_loses_no_video(videos, tmp_path):
    base = (*COMMAND, f"--manifest={videos}")
    right = content(prepared(call((*base, f"--data_dir={tmp_path / 'whole'}"))))
    full = 0
    # Up to the size of the data set plus the decoded videos of one shard.
    for number, size in enumerate(range(40, 520, 70)):
        disk = tmp_path / f"disk{number}"
        with small_disk(disk, size) as resize:
            command = (*base, f"--data_dir={disk}")
            first = call(command)
            if first.returncode:
                assert_the_machine_is_blamed(first, "No space left on device")
                full += 1
                resize(40_000)
            assert content(prepared(call(command))) == right, size
    assert full >= 3
