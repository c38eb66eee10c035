"""Tests how real processes find one another, and their errors if they do not."""

import contextlib
import signal
import socket
import time

import pytest

from tests.commands import refusal, run_command
from tests.run.jobs import ends, free_port, job, lines, said
from tests.training.test_resume import wait_for_step

SHORT = {"train__duration": "4 steps"}


def test_an_address_without_a_port_is_refused_in_one_line(tmp_path):
    common = ("--config=configs/synthetic.py", f"--workdir={tmp_path / 'run'}")
    given = ("--coordinator_address=localhost", "--num_processes=2", "--process_id=0")
    line = refusal(run_command("experiments.train", *common, *given))
    assert "--coordinator_address=localhost: expected HOST:PORT, such as 10.0.0.1:9876" in line


@pytest.mark.slow
def test_a_port_in_use_by_another_program_ends_all_with_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with job([], [], workdir=tmp_path / "run", address=address, join_timeout=8) as processes:
            assert ends(processes) == [2, 2], said
    first, second = (lines(process) for process in processes)
    assert f"process 0 cannot listen at {address}: Address already in use. End the" in first[0]
    assert f"{address} is in use by another program, or by a running job" in second[0]
    assert len(first) == len(second) == 1


@pytest.mark.slow
def test_a_second_job_at_the_port_of_a_running_one_ends_and_the_first_continues(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    one, two = tmp_path / "one", tmp_path / "two"
    changes = {"train__duration": "400 steps", "every__checkpoint": "400 steps"}
    with job([], [], workdir=one, address=address, changes=changes) as running:
        wait_for_step(one, 3, running[0])
        # Stopped for a while, so that it does not end before the other one arrives.
        with job([], [], workdir=two, address=address, join_timeout=6) as second:
            assert ends(second) == [2, 2], said
        assert ends(running) == [0, 0], said
    assert f"process 0 cannot listen at {address}" in lines(second[0])[0]
    assert not two.exists()


@pytest.mark.slow
def test_two_jobs_started_at_one_port_do_not_mix(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as stack:
        jobs = [
            stack.enter_context(
                job([], [], workdir=tmp_path / n, address=address, join_timeout=8, changes=SHORT)
            )
            for n in "ab"
        ]
        codes = [ends(processes) for processes in jobs]
    # One of them has the port. It trains completely, or ends with a line about the other process.
    assert [2, 2] in codes
    assert all(each in ([0, 0], [2, 2]) for each in codes), said
    for processes in jobs:
        for process in processes:
            assert len(lines(process)) <= 1
            assert "Traceback" not in said[process.pid]


@pytest.mark.slow
def test_too_few_processes_name_the_missing_ones(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with job([], [], workdir=tmp_path / "run", address=address, count=3, join_timeout=8) as two:
        first = waiting(two)
        began = time.monotonic()
        assert ends(two) == [69, 69], said
    assert time.monotonic() - began < 30
    for number, process in enumerate(two):
        assert first[number] == f"process {number} of 3 waits at {address} for up to 8 s\n"
        assert lines(process) == [f"error: process 2 of 3 did not come to {address} in 8 s"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "told"),
    [
        (([], [], ["--process_id=1"]), "--process_id=1 was given to two processes"),
        (([], [], ["--process_id=3"]), "--process_id=3"),
        (([], [], ["--num_processes=4"]), "--num_processes is 3 in process 0, but 4 in process 2"),
    ],
)
def test_wrong_process_ids_end_all_with_a_line_that_names_them(tmp_path, own, told):
    with job(*own, workdir=tmp_path / "run", join_timeout=100) as processes:
        waiting(processes)
        began = time.monotonic()
        assert ends(processes) == [2, 2, 2], said
    # No process waits for its timeout.
    assert time.monotonic() - began < 50
    for process in processes:
        assert told in lines(process)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
@pytest.mark.parametrize("who", [0, 1])
def test_a_signal_to_one_waiting_process_ends_all_waiting_ones(tmp_path, number, code, who):
    with job([], [], [], workdir=tmp_path / "run", count=4) as processes:
        waiting(processes)
        time.sleep(2)
        processes[who].send_signal(number)
        assert ends(processes, 20) == [code] * 3, said
    told = f"process {who} got {number.name} at the rendezvous: this process ends too"
    for each, process in enumerate(processes):
        assert said[process.pid].count(told) == (each != who)
        assert said[process.pid].count("run the same command again to continue") == 1


def waiting(processes):
    """Waits until every process has printed that it waits; returns these lines."""
    return [process.stderr.readline().decode() for process in processes]
