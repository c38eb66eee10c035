"""Tests jobs of two real processes on this machine, each of which runs `experiments.train`."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.attributes import write_attributed
from tests.commands import ROOT, run_command
from tests.run.jobs import HEARTBEAT, TRAIN, free_port, run, settings
from tests.training.test_resume import arrays, finish, wait_for_step
from vidjax.run.config import ConfigError
from vidjax.run.processes import Job, _listens_at, launcher


def start(workdir, processes, **changes):
    """Starts a job with four devices in total."""
    common = [
        *TRAIN,
        *settings(**changes),
        f"--workdir={workdir}",
        f"--coordinator_address=localhost:{free_port()}",
        f"--num_processes={processes}",
        f"--heartbeat_timeout={HEARTBEAT}",
    ]
    return [run([*common, f"--process_id={k}"], 4 // processes) for k in range(processes)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Trains in one process with four devices, with the same communication as two processes."""
    workdir = tmp_path_factory.mktemp("alone") / "run"
    code, errors = finish(start(workdir, 1)[0])
    assert code == 0, errors
    return workdir


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Kills one of two processes; returns the work directory, and how the other one ends."""
    workdir = tmp_path_factory.mktemp("killed") / "run"
    first, second = start(workdir, 2)
    wait_for_step(workdir, 21, first)
    second.send_signal(signal.SIGKILL)
    began = time.monotonic()
    _, errors = first.communicate(timeout=300)
    seconds = time.monotonic() - began
    second.communicate()
    return workdir, first.returncode, errors.decode(), seconds


def same_to_the_bit(one, two):
    (step, ours), (other, theirs) = arrays(one), arrays(two)
    assert step == other == 40
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert (one / "metrics.jsonl").read_text() == (two / "metrics.jsonl").read_text()


def test_when_a_process_is_killed_the_other_one_ends_by_itself(killed):
    _, code, errors, seconds = killed
    # JAX ends it for the missing heartbeat, unless a broken connection ends it earlier.
    assert code in (-signal.SIGABRT, 69), errors
    assert "another" in errors
    assert seconds < 3 * HEARTBEAT


@pytest.mark.slow
def test_one_process_resumes_from_the_checkpoint_of_two_exactly(killed, alone, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(killed[0], workdir)
    code, errors = finish(start(workdir, 1)[0])
    assert code == 0, errors
    assert re.search(r"resuming after step \d+ of 40", errors)
    same_to_the_bit(workdir, alone)


def test_two_processes_write_the_same_as_one_and_evaluate_each_video_once(killed, alone):
    ours, theirs = (
        (folder / "eval" / "test-2x1-step20-predictions.csv").read_text()
        for folder in (killed[0], alone)
    )
    assert ours == theirs
    reports = [
        json.loads((folder / "eval" / "test-2x1-step20.json").read_text())
        for folder in (killed[0], alone)
    ]
    assert "clip_top1" in reports[0]
    assert reports[0] == reports[1]
    videos = [row["video"] for row in csv.DictReader(ours.splitlines())]
    assert len(videos) == len(set(videos)) == 21
    lines = map(json.loads, (killed[0] / "metrics.jsonl").read_text().splitlines())
    assert sum(line["split"] == "test-2x1" for line in lines) == 1
    assert len(list((killed[0] / "tensorboard").iterdir())) == 1


@pytest.mark.slow
def test_sigterm_to_one_of_two_saves_and_ends_both_and_two_resume(alone, tmp_path):
    workdir = tmp_path / "run"
    job = start(workdir, 2)
    wait_for_step(workdir, 3, job[0])
    job[1].send_signal(signal.SIGTERM)
    assert [finish(process)[0] for process in job] == [75, 75]
    saved = max(int(f) for f in os.listdir(workdir / "checkpoints") if f.isdecimal())
    assert 3 <= saved < 40
    assert [finish(process)[0] for process in start(workdir, 2)] == [0, 0]
    same_to_the_bit(workdir, alone)


@pytest.mark.slow
def test_split_parameters_and_a_multigrid_are_the_same_over_two_processes(tmp_path):
    changes = {
        "mesh__data": 2,
        "mesh__fsdp": 2,
        "model__options": "{'width':16,'depths':(1,0,0,1),'stem_kernel':(1,3,3)}",
        "multigrid__cycle": "short",
        "train__accumulate": 2,
    }
    for processes in (1, 2):
        job = start(tmp_path / str(processes), processes, **changes)
        assert [finish(process)[0] for process in job] == [0] * processes
    same_to_the_bit(tmp_path / "1", tmp_path / "2")


@pytest.mark.slow
def test_balanced_weighted_mixed_and_augmented_clips_are_the_same_over_two_processes(tmp_path):
    changes = {
        "train__sampling": "balanced",
        "train__class_weights": "inverse_sqrt",
        "train__mixup": 0.8,
        "train__cutmix": 1.0,
        "train__accumulate": 2,
        "augment__also": "{'trivial_augment':{},'random_erasing':{}}",
    }
    for processes in (1, 2):
        job = start(tmp_path / str(processes), processes, **changes)
        for process in job:
            code, errors = finish(process)
            assert code == 0, errors
    same_to_the_bit(tmp_path / "1", tmp_path / "2")


@pytest.mark.slow
def test_several_labels_are_the_same_over_two_processes(tmp_path):
    table = write_attributed(tmp_path / "videos", train=4, test=3)
    changes = {
        "data__name": "video_folder",
        "data__options": "{}",
        "data__manifest": table,
        "data__data_dir": tmp_path / "data",
        "data__multi_label": "true",
        "train__accumulate": 2,
        "train__cutmix": 1.0,
        "train__label_smoothing": 0.1,
    }
    for processes in (1, 2):
        job = start(tmp_path / str(processes), processes, **changes)
        assert [finish(process)[0] for process in job] == [0] * processes
    same_to_the_bit(tmp_path / "1", tmp_path / "2")
    reports = [tmp_path / name / "eval" / "test-2x1-step40-predictions.csv" for name in "12"]
    assert reports[0].read_text() == reports[1].read_text()
    assert '"map"' in (tmp_path / "2" / "metrics.jsonl").read_text()


@pytest.mark.slow
def test_a_user_error_is_reported_once_by_every_process_and_ends_all(tmp_path):
    for process in start(tmp_path / "run", 2, train__batch_size=10):
        code, errors = finish(process)
        assert code == 2
        assert "train.batch_size = 10 is not divisible by 4 devices" in errors


def test_processes_not_started_together_are_not_joined(monkeypatch):
    for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert launcher() is None
    # An interactive job step with one task.
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert launcher() is None
    Job().join()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "16")
    assert launcher() == "SLURM"
    Job(distributed=False).join()


def test_an_incompletely_described_job_is_refused():
    with pytest.raises(ConfigError, match="--process_id go together"):
        Job(num_processes=2).join()
    common = ("--config=configs/synthetic.py", "--workdir=nowhere", "--distributed")
    done = run_command("experiments.train", *common)
    assert done.returncode == 2, done.stderr
    assert "JAX does not find the other processes" in done.stderr
    assert "pass --coordinator_address=HOST:PORT, --num_processes=N" in done.stderr


@pytest.mark.parametrize(
    ("given", "listens"),
    [
        ("127.0.0.1:1234", "127.0.0.1:1234"),
        ("localhost:1234", ("127.0.0.1:1234", "[::1]:1234")),
        ("[::1]:1234", ("[::1]:1234", None)),
        # An address reserved for documentation (RFC 5737), and a reserved name (RFC 6761).
        ("192.0.2.1:1234", None),
        ("nobody.invalid:1234", None),
        (None, None),
    ],
)
def test_the_coordinator_listens_at_the_given_address(given, listens):
    assert _listens_at(given) in (listens if isinstance(listens, tuple) else (listens,))


_COORDINATOR = """
import socket, sys
from vidjax.run.processes import Job
Job(f"127.0.0.1:{sys.argv[1]}", 1, 0, bind_address=sys.argv[2] or None).join()
rows = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/self/net/{name}")][1:]
port = f"{int(sys.argv[1]):04X}"
print(*(row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"))
"""


@pytest.mark.skipif(not Path("/proc/self/net/tcp").is_file(), reason="only Linux lists sockets so")
@pytest.mark.parametrize(
    ("asked", "listens_at"),
    [
        ("", "0100007F"),
        pytest.param("0.0.0.0:", "00000000", marks=pytest.mark.slow),
    ],
)
def test_a_coordinator_on_this_machine_is_not_open_to_others_unless_asked(asked, listens_at):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bind = asked and f"{asked}{port}"
    done = subprocess.run(
        [sys.executable, "-c", _COORDINATOR, str(port), bind],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    # Written as an IPv4-mapped IPv6 address, or unchanged.
    (listens,) = done.stdout.split()
    assert listens.endswith(f"{listens_at}:{port:04X}")
