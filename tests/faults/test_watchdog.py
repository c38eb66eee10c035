"""Tests hanging processes: each prints the stacks of its threads and exits with 69."""

import signal
import socket
import sys
import threading
import time

import pytest

from tests.commands import refusal, run_command
from tests.faults.tiny import command, ending, settings, start, wait_for_line
from tests.training.test_resume import wait_for_step
from vidjax import watchdog

# Seconds that a loaded machine may take beyond the stated time.
SOON = 30
PROGRAM = """
import ctypes, sys, time
from vidjax import watchdog
{before}
with watchdog.Watchdog({seconds}, 69, "start it again"):
    watchdog.report_progress("step 5")
    print("busy", flush=True)
    {work}
print("done")
"""


def begun(work, seconds=1, before=""):
    """Starts a watched process that works without reporting progress."""
    process = start(PROGRAM.format(work=work, seconds=seconds, before=before))
    wait_for_line(process, "busy")
    return process


def test_a_hanging_process_prints_its_stacks_and_exits():
    stuck = "def stuck():\n    time.sleep(600)"
    code, errors, _ = ending(begun("stuck()", before=stuck), SOON)
    assert code == 69
    assert errors.startswith("error: this process hangs: no progress for ")
    assert "(--hang_timeout=1) since: step 5. It exits with code 69; start it again." in errors
    assert "in stuck" in errors


def test_a_library_that_hangs_may_hold_the_interpreter_lock():
    stuck = "def stuck():\n    ctypes.PyDLL(None).sleep(600)"
    code, errors, _ = ending(begun("stuck()", before=stuck), SOON)
    assert code == (69 if sys.platform == "linux" else 1)
    assert "in stuck" in errors


@pytest.mark.slow
def test_the_reader_of_the_output_may_hang_too():
    full = "import os; os.set_blocking(2, False)\ntry:\n    while os.write(2, b'x' * 1024): pass\n"
    full += "except BlockingIOError: os.set_blocking(2, True)"
    process = begun("time.sleep(600)", before=full)
    assert process.wait(SOON) == 69
    process.communicate()


def test_a_stopped_process_exits_as_soon_as_it_continues():
    process = begun("time.sleep(600)", seconds=4)
    process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    code, errors, seconds = ending(process, SOON)
    assert code == 69, errors
    assert seconds < 3
    assert "no progress" in errors


STAYING = {
    "signs of life": "for _ in range(18): watchdog.report_progress('more'); time.sleep(0.1)",
    "a compilation": "watchdog.report_progress('it', compiling=True); time.sleep(1.6)",
    "a pause": "with watchdog.paused(): watchdog.report_progress('this'); time.sleep(1.6)",
}


@pytest.mark.parametrize("work", STAYING.values(), ids=STAYING)
def test_a_process_that_progresses_compiles_or_waits_continues(work):
    process = begun(work)
    out, errors = process.communicate(timeout=SOON)
    assert (process.returncode, out, errors) == (0, "done\n", "")


@pytest.mark.slow
def test_compilations_and_work_after_a_pause_are_limited():
    for work in (
        "watchdog.report_progress('it', compiling=True); time.sleep(600)",
        "with watchdog.paused(): time.sleep(1.5)\n    time.sleep(600)",
    ):
        code, errors, _ = ending(begun(work), SOON)
        assert code == 69, errors


def test_a_limit_of_zero_disables_the_watchdog():
    before = threading.active_count()
    with watchdog.Watchdog(0, 69):
        assert threading.active_count() == before


PREPARING = """
from pathlib import Path
from types import SimpleNamespace
from vidjax.data import catalog
def prepare(request):
    request.begin("it is not there")
    time.sleep(1.6)
catalog._module = lambda name: SimpleNamespace(prepare=prepare)
"""


def test_the_watchdog_is_paused_while_a_data_set_is_prepared():
    work = "catalog.prepare('any', catalog.Request(Path()))\n    print('prepared', flush=True)"
    work += "\n    time.sleep(600)"
    process = begun(work, before=PREPARING)
    out, errors = process.communicate(timeout=SOON)
    assert (process.returncode, out) == (69, "prepared\n"), errors


@pytest.mark.parametrize("seconds", ["-1", "nan", "604801", "soon"])
def test_the_time_has_a_range(seconds):
    done = run_command(
        "experiments.train", "--config=demo", "--workdir=x", f"--hang_timeout={seconds}"
    )
    assert "hang_timeout" in refusal(done)


DECODER = "import cv2, time\ncv2.imdecode = lambda *_: time.sleep(600)"


def decoder_stuck_after(step, workdir):
    """Makes a fault: after the run has reported a step, decoding a frame never returns."""
    return f"""
import cv2, time
from pathlib import Path
decode, metrics = cv2.imdecode, Path({str(workdir / "metrics.jsonl")!r})
def stuck(*given):
    while {step} and '"step": {step}' not in (metrics.read_text() if metrics.exists() else ''):
        return decode(*given)
    time.sleep(600)
cv2.imdecode = stuck
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 30])
def test_a_decoder_that_never_returns_ends_a_training(tmp_path, step):
    """From the beginning, and in the middle; then the same command resumes."""
    workdir = tmp_path / "run"
    stuck = decoder_stuck_after(step, workdir)
    process = command("train", *settings(workdir), "--hang_timeout=8", fault=stuck)
    code, errors, _ = ending(process)
    assert code == 69, errors
    assert "in stuck" in errors
    assert "the same command resumes from the last checkpoint" in errors
    code, errors, _ = ending(command("train", *settings(workdir)))
    assert code == 0, errors


@pytest.mark.slow
def test_a_decoder_that_never_returns_ends_an_evaluation(tiny_run):
    process = command("evaluate", f"--workdir={tiny_run}", "--hang_timeout=3", fault=DECODER)
    code, errors, _ = ending(process)
    assert code == 69, errors
    assert "the same command evaluates again" in errors


@pytest.mark.slow
def test_a_store_that_never_answers_ends_a_training(tmp_path):
    """The store accepts requests like a hanging server, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        asking = f"""
import socket
from vidjax.data.synthetic import SyntheticSplit
def ask(*_):
    store = socket.create_connection({server.getsockname()!r})
    store.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
    return store.recv(1)
SyntheticSplit.__getitem__ = ask
"""
        process = command("train", *settings(tmp_path / "run"), "--hang_timeout=8", fault=asking)
        code, errors, _ = ending(process)
    assert code == 69, errors
    assert "in ask" in errors


def job_of_two(workdir, *faults):
    """Starts two training processes with faults, and with a long heartbeat limit of JAX."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"--coordinator_address=127.0.0.1:{free.getsockname()[1]}"
    flags = [address, "--num_processes=2", "--heartbeat_timeout=600", "--hang_timeout=12"]
    given = [*settings(workdir, train__duration="4000 steps"), *flags]
    return [
        command("train", *given, f"--process_id={number}", fault=fault)
        for number, fault in enumerate(faults)
    ]


@pytest.mark.slow
def test_the_process_with_a_hanging_decoder_names_its_work(tmp_path):
    workdir = tmp_path / "run"
    job = job_of_two(workdir, "", decoder_stuck_after(21, workdir))
    try:
        for number, process in enumerate(job):
            code, errors, _ = ending(process)
            assert code == 69, errors
            assert f"process {number} of 2 hangs" in errors
            assert ("since: waiting for the batch" in errors) == (number == 1)
            assert ("in stuck" in errors) == (number == 1)
    finally:
        for process in job:
            process.kill()
            process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [0, 1])
def test_a_stopped_process_ends_the_others_and_then_itself(tmp_path, stopped):
    workdir = tmp_path / "run"
    job = job_of_two(workdir, "", "")
    try:
        wait_for_step(workdir, 21, job[0])
        job[stopped].send_signal(signal.SIGSTOP)
        code, errors, seconds = ending(job[1 - stopped])
        assert code == 69, errors
        assert f"process {1 - stopped} of 2 hangs" in errors
        assert 'File "' in errors
        assert seconds < 12 + SOON
        job[stopped].send_signal(signal.SIGCONT)
        code, errors, _ = ending(job[stopped], SOON)
        # Either its own watchdog or JAX, which misses the other process, detects it first.
        assert code in (69, -signal.SIGABRT), errors
        assert "hangs: no progress" in errors
    finally:
        for process in job:
            process.kill()
            process.communicate()
