"""Tests that all processes of a job end together, with one exit code, within seconds."""

import shutil
import signal
import time

import pytest

from tests.faults.processes import wait_until
from tests.run.jobs import ends, job, lines, said, slowly
from tests.training.test_resume import arrays, wait_for_step

LONG = {"train__duration": "4000 steps", "every__checkpoint": "4 steps"}
SHORT = {"train__duration": "4 steps"}


@pytest.mark.slow
@pytest.mark.parametrize("asked", [(0,), (1,), (0, 1)])
def test_ctrl_c_ends_all_processes_within_seconds(tmp_path, asked):
    workdir = tmp_path / "run"
    # Nothing here waits for a heartbeat.
    with job([], [], workdir=workdir, heartbeat=100, changes=LONG) as processes:
        wait_for_step(workdir, 6, processes[0])
        began = time.monotonic()
        for number in asked:
            processes[number].send_signal(signal.SIGINT)
        assert ends(processes) == [130, 130], said
    assert time.monotonic() - began < 15
    for process in processes:
        assert said[process.pid].count("interrupted; run the same command again to continue") == 1
    with job([], workdir=workdir, changes=LONG | {"train__duration": "8 steps"}) as again:
        wait_for_step(workdir, 6, again[0])


@pytest.mark.slow
def test_ctrl_c_during_a_compilation_ends_both_within_seconds(tmp_path):
    """A compilation handles no signals; a function that does not return to Python replaces it."""
    command = slowly("vidjax.training.loop.compile_step", 1000, 1, deaf=True)
    with job([], [], workdir=tmp_path / "run", heartbeat=100, command=command) as processes:
        while b"compiled" not in (line := processes[0].stderr.readline()):
            assert line
        began = time.monotonic()
        processes[0].send_signal(signal.SIGINT)
        assert ends(processes) == [130, 130], said
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_last_report_may_take_longer_than_a_heartbeat(tmp_path):
    command = slowly("vidjax.trained.scoring.write_report", 15, 0)
    workdir = tmp_path / "run"
    with job([], [], workdir=workdir, heartbeat=5, command=command, changes=SHORT) as processes:
        assert ends(processes) == [0, 0], said
    assert list((workdir / "eval").glob("*-step4.json"))
    assert arrays(workdir)[0] == 4


@pytest.mark.slow
def test_work_of_process_0_alone_may_take_longer_than_a_heartbeat(tmp_path):
    command = slowly("vidjax.training.loop.check", 15, 0)
    workdir = tmp_path / "run"
    with job([], [], workdir=workdir, heartbeat=5, command=command, changes=SHORT) as processes:
        assert ends(processes) == [0, 0], said


@pytest.mark.slow
@pytest.mark.parametrize("asked", [0, 1])
def test_sigterm_to_one_process_before_training_ends_both_within_seconds(tmp_path, asked):
    command = slowly("vidjax.training.loop.claim", 1000, 0)
    workdir = tmp_path / "run"
    with job([], [], workdir=workdir, heartbeat=100, command=command) as processes:
        assert wait_until(lambda: (workdir / "config.json").exists(), 90)
        began = time.monotonic()
        processes[asked].send_signal(signal.SIGTERM)
        assert ends(processes) == [75, 75], said
    assert time.monotonic() - began < 20
    for process in processes:
        assert (
            said[process.pid].count("ended by SIGTERM; run the same command again to continue") == 1
        )


@pytest.mark.slow
def test_a_process_that_dies_while_process_0_prepares_ends_it(tmp_path):
    command = slowly("vidjax.training.loop.check", 1000, 0)
    with job([], [], workdir=tmp_path / "run", command=command) as processes:
        time.sleep(15)
        processes[1].kill()
        assert ends(processes, 60)[0] in (-signal.SIGABRT, 69), said


@pytest.mark.slow
def test_a_failure_in_one_process_ends_all_with_one_exit_code(tmp_path):
    """Process 1 fails to read data in the middle of training, while process 0 succeeds."""
    workdir = tmp_path / "run"
    command = slowly("vidjax.training.loop.to_devices", 0, 1, fails_at=9)
    with job([], [], workdir=workdir, heartbeat=100, command=command, changes=LONG) as processes:
        began = time.monotonic()
        assert ends(processes) == [69, 69], said
    assert time.monotonic() - began < 60
    for process in processes:
        assert any(
            "process 1 of 2 cannot continue: made to fail" in line for line in lines(process)
        )


@pytest.mark.slow
def test_a_user_error_found_only_by_process_0_ends_all_with_2(tmp_path):
    workdir = tmp_path / "run"
    with job([], workdir=workdir, changes=SHORT) as processes:
        assert ends(processes) == [0], said
    shutil.rmtree(workdir / "checkpoints")
    (workdir / "metrics.jsonl").unlink()
    (workdir / "config.json").unlink()
    with job([], [], workdir=workdir, changes=SHORT) as processes:
        assert ends(processes) == [2, 2], said
    assert "is not empty and holds no config.json" in lines(processes[0])[0]
    assert "process 0 could not do its part: checking the work directory" in lines(processes[1])[0]
