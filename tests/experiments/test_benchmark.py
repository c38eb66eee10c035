import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.benchmark.rounds import time_in_turns

ROOT = Path(__file__).parents[2]


def call(*arguments):
    command = [sys.executable, "-m", "experiments.benchmark", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_peers_take_turns_and_the_first_turn_does_not_count():
    calls = []
    times = time_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert times.keys() == {"a", "b"}


def test_models_prints_a_row_a_peer():
    done = call("models", "--width=4", "--batch=2", "--clip=2,16,16", "--classes=3", "--rounds=1")
    assert done.returncode == 0, done.stderr
    (row,) = re.findall(r"vidjax +│ +(\d+) │", done.stdout)
    assert int(row) > 0
    assert "compiled" in done.stdout


def test_methods_prints_what_each_adds_to_the_step_without():
    done = call(
        "methods", "--model=slowonly_34", "--width=4", "--depths=0,0,0,1", "--batch=2",
        "--clip=2,16,16", "--rounds=1", "--methods=RMS",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"without +│ +\d+ │ +\+0\.0%", done.stdout)
    assert re.search(r"RMS +│ +\d+ │ +[+-]\d+\.\d%", done.stdout)


@pytest.mark.slow
def test_pyramids_prints_what_they_add_to_a_forward_pass():
    done = call("pyramids", "--models=r3d_18", "--clip=2,32,32", "--rounds=1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"r3d_18 +│ +0\.6 │ +3 │ +\d+ │ +\d+ │ +\d+ │ +[+-]\d+%", done.stdout)
    assert "r3d_18  0.6  3" in done.stderr


def test_an_unknown_part_shows_how_it_is_called():
    done = call("modles")
    assert done.returncode == 2
    assert "python -m experiments.benchmark models" in done.stderr


def test_data_prints_a_row_a_form_of_storage():
    done = call(
        "data", "--seconds=2", "--clips=2", "--rounds=1", "--size=32", "--frames=4",
        "--short_sides=48", "--model=",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for form in ("JPEG, short side 48", "TFDS, whole video of 48", "PyAV, seek and decode"):
        assert re.search(rf"{form} +│ +\d+\.\d │ +\d+ │ +\d+ │ +\d+\.\d │ +\d+", done.stdout)


@pytest.mark.slow
def test_multigrid_prints_what_an_epoch_comes_to():
    done = call("multigrid", "--width=4", "--batch=1", "--clip=4,16,16", "--rounds=1")
    assert done.returncode == 0, done.stderr
    # 20,000 videos one by one, or 5.75 on average.
    assert re.search(r"none +│ +20000 │", done.stdout)
    assert re.search(r"both +│ +3478 │", done.stdout)
