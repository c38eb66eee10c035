"""Preparing on a cluster whose machines share nothing: the same files as without it."""

import contextlib
import shutil
import subprocess
import sys

import pytest

from tests.commands import ROOT
from tests.storage.dask_cluster import cluster
from tests.videos import numbered_frames, write_video
from vidjax.storage.local import upload_folder
from vidjax.storage.paths import as_path

pytest.importorskip("distributed", reason="the extra `dask` is not installed")

# Ten training videos and two for testing, in shards of at most 8, since sides might be 1000.
VIDEOS, SHARDS = 12, 3
FORM = ("--dataset=video_folder", "--short_side=1000", "--bad_video_budget=0.5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Videos of two classes, one of them broken and one that kills whoever decodes it."""
    root = tmp_path_factory.mktemp("videos")
    sound = write_video(root / "sound.mp4", numbered_frames(4))
    for number in range(VIDEOS - 2):
        place = root / ("sit", "walk")[number % 2] / f"{number}.mp4"
        place.parent.mkdir(exist_ok=True)
        if number < 4:
            write_video(place, numbered_frames(3 + number))
        else:
            shutil.copy(sound, place)
    shutil.move(sound, root / "walk/killer.mp4")
    (root / "sit/broken.mp4").write_text("no video")
    return root


@pytest.fixture
def videos(folder, bucket):
    """The same videos in a bucket."""
    upload_folder(folder, as_path(f"{bucket}/videos"))
    return f"{bucket}/videos"


@pytest.fixture
def made_of(tmp_path, store):
    """A cluster of several workers."""
    with contextlib.ExitStack() as stack:
        yield lambda workers: stack.enter_context(
            cluster(tmp_path / "cluster", store.environment, workers)
        )


class Preparing:
    """The command in a process of its own."""

    def __init__(self, environment, *arguments):
        command = [sys.executable, "-W", "ignore", "-m", "experiments.prepare", *FORM, *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ended(self, seconds=120):
        """Exit code, the last line of its output, and the lines of its errors."""
        out, errors = self.process.communicate(timeout=seconds)
        lines = [line for line in errors.splitlines() if not line.startswith("prepare")]
        return self.process.returncode, (out.splitlines() or [""])[-1], lines


def prepared(environment, *arguments):
    code, last, errors = Preparing(environment, *arguments).ended()
    assert code == 0, errors
    return as_path(last)


def content(folder):
    """The bytes of every file of a data set."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def records_in(bucket):
    """Of a preparation that goes on, what says which shards are there."""
    return list(as_path(f"{bucket}/there").rglob("made/*.json"))


def test_workers_that_share_nothing_make_the_same_files(made_of, videos, bucket):
    running = made_of(3)
    source = f"--manifest={videos}"
    there = prepared(
        running.environment, source, f"--data_dir={bucket}/there", f"--dask={running.address}"
    )
    here = prepared(running.environment, source, f"--data_dir={bucket}/here", "--workers=1")
    assert content(there) == content(here)
    assert len([name for name in content(there) if "array_record" in name]) == SHARDS
    left_out = (there / "excluded.csv").read_text()
    assert f"sit/broken.mp4,sit,train,{videos}/sit/broken.mp4: not a readable video" in left_out
    assert f"{videos}/walk/killer.mp4: killed its worker (its process ended with code" in left_out
    # The workers are as they were, and nothing of theirs is left.
    assert all(worker.poll() is None for worker in running.workers)
    for own in running.folders:
        assert not list(own.rglob("vidjax-*"))
    assert sorted(path.name for path in there.parent.iterdir()) == [
        there.name,
        f"{there.name}.lock-owner.json",
    ] or sorted(path.name for path in there.parent.iterdir()) == [there.name]
