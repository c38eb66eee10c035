"""Tests preparing on a cluster whose machines share nothing: the same files as without it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT, refusal, run_command
from tests.faults.processes import descendants, living, wait_until
from tests.storage.dask_cluster import cluster, made_in
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.storage.local_copies import upload_folder
from vidjax.storage.paths import as_path

pytest.importorskip("distributed", reason="the extra `dask` is not installed")

# Ten training and two test videos, in shards of at most 8 because sides may be 1000 pixels.
VIDEOS, SHARDS = 12, 3
FORM = ("--dataset=video_folder", "--short_side=1000", "--bad_video_budget=0.5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes videos of two classes; one is broken, and one kills the process that decodes it."""
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
    """Copies the same videos to a bucket."""
    upload_folder(folder, as_path(f"{bucket}/videos"))
    return f"{bucket}/videos"


@pytest.fixture
def made_of(tmp_path, store):
    """Starts Dask clusters with a given number of workers."""
    with contextlib.ExitStack() as stack:
        yield lambda workers: stack.enter_context(
            cluster(tmp_path / "cluster", store.environment, workers)
        )


class Preparing:
    """The command in a separate process."""

    def __init__(self, environment, *arguments):
        command = [sys.executable, "-W", "ignore", "-m", "experiments.prepare", *FORM, *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ended(self, seconds=120):
        """Waits for the end; returns exit code, the last output line, and the error lines."""
        out, errors = self.process.communicate(timeout=seconds)
        lines = [line for line in errors.splitlines() if not line.startswith("prepare")]
        return self.process.returncode, (out.splitlines() or [""])[-1], lines


def prepared(environment, *arguments):
    code, last, errors = Preparing(environment, *arguments).ended()
    assert code == 0, errors
    return as_path(last)


def content(folder):
    """Returns the content of every file of a data set."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_workers_that_share_nothing_write_the_same_files(made_of, videos, bucket, monkeypatch):
    running = made_of(2)
    source = f"--manifest={videos}"
    there = prepared(
        running.environment, source, f"--data_dir={bucket}/there", f"--dask={running.address}"
    )
    # The process that decodes the killer video is killed here too.
    monkeypatch.setenv("PYTHONPATH", running.environment["PYTHONPATH"])
    storage = catalog.Storage(short_side=1000, bad_video_budget=0.5)
    request = catalog.Request(
        as_path(f"{bucket}/here"), manifest=videos, workers=1, storage=storage
    )
    assert content(there) == content(catalog.prepare("video_folder", request))
    assert len([name for name in content(there) if "array_record" in name]) == SHARDS
    left_out = (there / "excluded.csv").read_text()
    assert f"sit/broken.mp4,sit,train,{videos}/sit/broken.mp4: not a readable video" in left_out
    assert f"{videos}/walk/killer.mp4: killed its worker (its process ended with code" in left_out
    # The workers are unaffected, and their temporary files are removed.
    assert all(worker.poll() is None for worker in running.workers)
    for own in running.folders:
        assert not list(own.rglob("vidjax-*"))
    assert {path.name for path in there.parent.iterdir()} == {there.name}


@pytest.fixture
def right(folder, tmp_path, store):
    """Prepares the folder without a cluster."""
    with cluster(tmp_path / "alone", store.environment, 0) as alone:
        data = f"--data_dir={tmp_path / 'right'}"
        return content(prepared(alone.environment, f"--manifest={folder}", data, "--workers=1"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_the_shard_of_a_lost_worker_is_written_by_another(made_of, folder, bucket, right, how):
    running = made_of(0)
    # The first worker is alone and slow, so it is lost in the middle of a shard.
    lost = running.add_worker(SLOW_VIDEOS="1.0")
    there = f"--data_dir={bucket}/there"
    command = Preparing(
        running.environment, f"--manifest={folder}", there, f"--dask={running.address}"
    )
    assert wait_until(lambda: list(running.folders[0].rglob("*.npz")))
    os.kill(lost.pid, getattr(signal, how))
    children = descendants(lost.pid)
    running.add_worker()
    code, last, errors = command.ended()
    assert code == 0, errors
    assert content(as_path(last)) == right
    if how == "SIGKILL":
        lost.wait(10)
        wait_until(lambda: not living(children), 20)
        assert not living(children)
    else:
        os.kill(lost.pid, signal.SIGCONT)
        time.sleep(5)
        assert content(as_path(last)) == right


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_a_lost_scheduler_ends_the_command_which_resumes(made_of, folder, bucket, right, how):
    running = made_of(0)
    running.add_worker(SLOW_VIDEOS="1.0")
    source, there = f"--manifest={folder}", f"--data_dir={bucket}/there"
    command = Preparing(running.environment, source, there, f"--dask={running.address}")
    assert wait_until(lambda: made_in(as_path(f"{bucket}/there")), 90)
    os.kill(running.scheduler.pid, getattr(signal, how))
    (done,) = made_in(as_path(f"{bucket}/there"))
    shard = done.parents[1].with_suffix("") / done.name.removesuffix(".json")
    before = shard.stat()
    code, _, errors = command.ended()
    assert code == 74, errors
    assert errors[-1].startswith("error: the Dask scheduler at tcp://127.0.0.1:"), errors
    assert "no longer answers" in errors[-1]
    assert not [line for line in errors if "Traceback" in line], errors
    folder_there = prepared(running.environment, source, there, "--workers=1")
    assert content(folder_there) == right
    assert shard.stat() == before


@pytest.mark.slow
def test_a_worker_with_another_code_version_is_refused_in_one_line(
    made_of, folder, bucket, tmp_path
):
    shutil.copytree(ROOT / "vidjax", tmp_path / "other/vidjax")
    with (tmp_path / "other/vidjax/data/encode.py").open("a") as file:
        file.write("# changed\n")
    running = made_of(0)
    running.add_worker(PYTHONPATH=str(tmp_path / "other"))
    code, _, errors = Preparing(
        running.environment,
        f"--manifest={folder}",
        f"--data_dir={bucket}/there",
        f"--dask={running.address}",
    ).ended()
    assert (code, len(errors)) == (2, 1), errors
    assert "a worker runs other code than the command: vidjax" in errors[0]


def test_arguments_that_do_not_fit_a_cluster_are_refused_in_one_line(folder, tmp_path):
    data = (*FORM, f"--manifest={folder}", f"--data_dir={tmp_path / 'data'}")
    for options, told in (
        (("--dask=127.0.0.1:1", "--beam_runner=DirectRunner"), "name two clusters"),
        (("--dask=127.0.0.1:1", "--workers=2"), "--workers is for this machine"),
        (("--beam_option=--x=1",), "has no effect without --beam_runner"),
        (("--dask=no scheduler",), "no Dask scheduler answers at no scheduler"),
    ):
        assert told in refusal(run_command("experiments.prepare", *data, *options))
