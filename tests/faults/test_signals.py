"""Tests SIGTERM and Ctrl-C while the main thread cannot handle signals."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT
from tests.faults.tiny import BUSY, command, ending, settings, start, wait_for_line
from tests.training.test_resume import arrays

PREEMPTED = f"""
import contextlib, time
from vidjax.training.preemption import Preemption
def leave():
    print("left", flush=True)
with Preemption() as preemption:
    {{where}}
        print("busy", flush=True)
        {BUSY}
"""
ENDING = """
import sys, time
from experiments.signal_handling import by_sigterm, Terminated
try:
    with by_sigterm(143):
        print("busy", flush=True)
        {work}
except Terminated:
    print("tidied", flush=True)
    sys.exit(9)
"""
# Seconds that a loaded machine may need to end a process.
SOON = 20


def asked(process):
    """Sends SIGTERM to a process once it is busy; returns the process."""
    wait_for_line(process, "busy")
    # The process prints this shortly before.
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    return process


def test_a_run_with_nothing_to_lose_leaves_in_the_middle_of_a_long_call():
    process = asked(start(PREEMPTED.format(where="with preemption.nothing_to_lose(leave):")))
    out, errors = process.communicate(timeout=SOON)
    assert process.returncode == 75, errors
    assert out == "left\n"


def test_a_run_with_something_to_lose_stays_and_a_second_sigterm_ends_it():
    process = start(PREEMPTED.format(where="with contextlib.nullcontext():"))
    asked(process)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    code, errors, _ = ending(process, SOON)
    assert code == 143
    assert errors == "ended by a second SIGTERM\n"


def test_a_command_cleans_up_after_sigterm():
    process = asked(start(ENDING.format(work="time.sleep(600)")))
    assert process.communicate(timeout=SOON)[0] == "tidied\n"
    assert process.returncode == 9


def test_a_command_that_cannot_handle_sigterm_is_ended_anyway():
    code, errors, _ = ending(asked(start(ENDING.format(work=BUSY))), SOON)
    assert (code, errors) == (143, "ended by SIGTERM\n")


SWALLOWING = """
import sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "jax":
            try:
                print("importing", flush=True)
                time.sleep(600)
            except KeyboardInterrupt:
                pass

sys.meta_path.insert(0, Slow())
"""


def test_ctrl_c_during_imports_is_one_line(tmp_path):
    """Also if an import would swallow the exception."""
    (tmp_path / "sitecustomize.py").write_text(SWALLOWING)
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    # Background jobs of a shell ignore Ctrl-C, and these tests may run in one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", "--workdir=none"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        code, errors, _ = ending(process, SOON)
    finally:
        process.kill()
    assert (code, errors) == (130, "interrupted\n")


def hold(where, name):
    """Makes a fault: replaces a function of a module by a long call."""
    return (
        f"import {where} as place\n"
        f"def busy(*_, **__):\n    print('busy', flush=True)\n    {BUSY}\n"
        f"place.{name} = busy"
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    code, errors, _ = ending(command("train", *settings(workdir)))
    assert code == 0, errors
    return workdir


def last_line(errors):
    return errors.strip().splitlines()[-1]


@pytest.mark.slow
def test_sigterm_during_a_compilation_ends_a_run_at_once_and_frees_its_directory(tmp_path):
    fault = hold("vidjax.training.loop", "compile_step")
    process = asked(command("train", *settings(tmp_path / "run"), fault=fault))
    code, errors, _ = ending(process, SOON)
    assert code == 75
    assert last_line(errors) == "stopped by SIGTERM; start the same command again to resume"
    assert not (tmp_path / "run" / ".lock-owner.json").exists()


@pytest.mark.slow
def test_an_evaluation_interrupted_by_sigterm_is_repeated_by_the_resumed_run(unbroken, tmp_path):
    workdir = tmp_path / "run"
    fault = hold("vidjax.trained.scoring", "Scorer.score")
    process = asked(command("train", *settings(workdir), fault=fault))
    code, errors, _ = ending(process, SOON)
    assert code == 75, errors
    assert (workdir / "checkpoints" / "20" / "checksums.json").is_file()
    assert "test-2x1" not in (workdir / "metrics.jsonl").read_text()
    code, errors, _ = ending(command("train", *settings(workdir)))
    assert code == 0, errors
    same(workdir, unbroken)


def same(ours, theirs):
    (step, one), (other, two) = arrays(ours), arrays(theirs)
    assert step == other
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
    lines = [(folder / "metrics.jsonl").read_text() for folder in (ours, theirs)]
    assert lines[0] == lines[1]


@pytest.mark.slow
def test_sigterm_ends_commands_that_only_read_in_one_line(unbroken):
    fault = hold("vidjax.trained.scoring", "Scorer.score")
    before = sorted(file.name for file in (unbroken / "eval").iterdir())
    process = asked(command("evaluate", f"--workdir={unbroken}", "--checkpoint=20", fault=fault))
    code, errors, _ = ending(process, SOON)
    assert code == 143
    assert errors == "ended by SIGTERM\n"
    assert sorted(file.name for file in (unbroken / "eval").iterdir()) == before
