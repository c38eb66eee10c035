"""Tests that a repeatedly killed run in a bucket ends like an uninterrupted one on a disk.

The kill times are drawn as numbers of requests, so any request may be the last.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT
from tests.faults.test_kills import assert_same
from tests.faults.tiny import command, ending, settings
from tests.run.jobs import SETTINGS, free_port
from vidjax.storage.local_copies import local_folder_copy, remove_folder
from vidjax.storage.paths import as_path

KILLS = 10
SHORT = {
    "train__duration": "30 steps",
    "every__evaluate": "10 steps",
    "every__checkpoint": "5 steps",
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Returns the run on a disk."""
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    code, errors, _ = ending(command("train", *settings(workdir, **SHORT)))
    assert code == 0, errors
    return workdir


def broken_off(store, workdir, after, number):
    """Starts the run, and kills it after a number of requests; returns its exit code."""
    store.requests()
    process = command("train", *settings(workdir, **SHORT))
    asked = 0
    while process.poll() is None and asked < after:
        asked += len(store.requests())
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate()
    return process.returncode


def resumed(workdir):
    code, errors, _ = ending(command("train", *settings(workdir, **SHORT)))
    assert code == 0, errors
    return errors


def assert_same_as_on_a_disk(workdir, unbroken):
    with local_folder_copy(workdir) as copy:
        assert_same(copy, unbroken)
    assert not (workdir / ".lock-owner.json").exists()


@pytest.mark.slow
def test_a_run_killed_in_a_bucket_ends_exactly_like_one_on_a_disk(store, bucket, unbroken):
    workdir = as_path(f"{bucket}/run")
    code = broken_off(store, workdir, 350, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert (workdir / ".lock-owner.json").exists()
    errors = resumed(workdir)
    assert "has ended without releasing it: this process takes over" in errors
    assert_same_as_on_a_disk(workdir, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.timeout(1800)
def test_a_run_killed_at_random_times_ends_like_one_on_a_disk(store, bucket, unbroken, seed):
    rng, workdir = random.Random(seed), as_path(f"{bucket}/run")
    kills, most = 0, 1200
    while kills < KILLS:
        number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        code = broken_off(store, workdir, rng.randrange(most), number)
        kills += code in (-signal.SIGKILL, 75)
        if code == 0:
            # The run finished first; another one is killed.
            assert_same_as_on_a_disk(workdir, unbroken)
            remove_folder(workdir)
    resumed(workdir)
    assert_same_as_on_a_disk(workdir, unbroken)


def job(workdir, processes, devices=1):
    """Starts a job of several processes with a number of devices each."""
    port = free_port()
    changed = SETTINGS | {name.replace("__", "."): value for name, value in SHORT.items()}
    arguments = [
        sys.executable, "-m", "experiments.train", "--config=configs/synthetic.py",
        f"--workdir={workdir}", f"--coordinator_address=127.0.0.1:{port}",
        f"--num_processes={processes}", "--heartbeat_timeout=30",
        *(f"--config.{name}={value}" for name, value in changed.items()),
    ]  # fmt: skip
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(devices)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [
        subprocess.Popen([*arguments, f"--process_id={k}"], cwd=ROOT, env=environment, **pipes)
        for k in range(processes)
    ]


def done(processes):
    said = [process.communicate(timeout=900)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("killed", [0, 1])
def test_a_job_of_two_processes_in_a_bucket_resumes_after_a_kill(store, bucket, tmp_path, killed):
    done(job(tmp_path / "run", 2))
    workdir = as_path(f"{bucket}/run")
    processes, asked = job(workdir, 2), 0
    store.requests()
    while asked < 500 and all(process.poll() is None for process in processes):
        asked += len(store.requests())
        time.sleep(0.005)
    processes[killed].kill()
    for process in processes:
        process.communicate(timeout=300)
    assert processes[killed].returncode == -signal.SIGKILL
    assert processes[1 - killed].returncode not in (0, 2)
    done(job(workdir, 2))
    assert_same_as_on_a_disk(workdir, tmp_path / "run")


def evaluated(workdir, processes):
    """Evaluates with several processes that have two devices in total; returns the files."""
    port = free_port()
    command = [sys.executable, "-m", "experiments.evaluate", f"--workdir={workdir}",
               "--config.eval.clips=1"]  # fmt: skip
    company = [f"--coordinator_address=127.0.0.1:{port}", f"--num_processes={processes}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    devices = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(2 // processes)}
    environment = {**os.environ, **devices}
    done([
        subprocess.Popen(
            [*command, *company, f"--process_id={k}"], cwd=ROOT, env=environment, **pipes
        )
        for k in range(processes)
    ])  # fmt: skip
    files = (workdir / "eval").glob("test-1x1-*")
    return {file.name: file.read_bytes() for file in files if file.suffix != ".png"}


@pytest.mark.slow
def test_two_processes_evaluate_in_a_bucket_like_one(store, bucket):
    workdir = as_path(f"{bucket}/run")
    done(job(workdir, 1))
    one = evaluated(workdir, 1)
    remove_folder(workdir / "eval")
    two = evaluated(workdir, 2)
    assert len(one) == 3
    assert one == two


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("processes", "devices"), [(8, 1), (1, 8)])
def test_eight_devices_write_the_same_run_as_on_a_disk(bucket, tmp_path, processes, devices):
    workdir = as_path(f"{bucket}/run")
    done(job(tmp_path / "run", processes, devices))
    done(job(workdir, processes, devices))
    assert_same_as_on_a_disk(workdir, tmp_path / "run")
    environment = json.loads((workdir / "environment.json").read_text())
    assert environment["processes"] == processes
