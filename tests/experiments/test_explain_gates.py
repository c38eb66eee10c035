"""Tests the command for gates: its tables and its figure, for a run of a few steps."""

import csv

import cv2
import pytest

from configs import synthetic
from tests.experiments.test_explain import call, with_options
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

VIDEOS, STEPS = 16, 6


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A run whose gate is open for three steps and then closed, because its cells are untrained."""
    config = synthetic.get_config()
    options = {"srtg": "final", "gate": "hard", "gate_warmup_steps": 3}
    config.model.name = "r3d_34_e1"
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), **options}
    config.data.options = {"num_classes": 3, "videos": VIDEOS, "frames": 8, "size": 16}
    config.data.threads = 1
    config.clip.update({"frames": 8, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8})
    config.train.update({"duration": f"{STEPS} steps", "batch_size": 4})
    every = {"log": "1 steps", "checkpoint": f"{STEPS} steps", "evaluate": f"{STEPS} steps"}
    config.every.update(every)
    workdir = tmp_path_factory.mktemp("runs") / "gated"
    train(from_mapping(config), workdir)
    return workdir


def rows(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_gates_are_tested_and_their_log_is_drawn(gated, tmp_path):
    output = tmp_path / "explained"
    ended = call(f"--workdir={gated}", f"--output={output}", method="gates")
    assert ended.returncode == 0, ended.stderr
    (state,) = rows(output / "gates.csv")
    assert (state["run"], state["gate"]) == (str(gated), "layer1_block1")
    assert state["videos"] == str(VIDEOS)
    log = rows(output / "gates_training.csv")
    assert {(row["gate"], row["quantity"]) for row in log} == {
        ("layer1_block1", "open"),
        ("layer1_block1", "matched"),
    }
    by_step = {
        quantity: {int(row["step"]): row["fraction"] for row in log if row["quantity"] == quantity}
        for quantity in ("open", "matched")
    }
    assert list(by_step["open"]) == list(range(1, STEPS + 1))
    # During the warm-up all gates are open, afterwards those that match.
    assert [float(by_step["open"][step]) for step in (1, 2, 3)] == [1, 1, 1]
    assert all(by_step["open"][step] == by_step["matched"][step] for step in (4, 5, 6))
    assert cv2.imread(str(output / "gates.png")) is not None


def test_a_run_without_gates_is_refused_in_one_line(gated, tmp_path):
    plain = with_options(gated, "plain", {"options": {"width": 4, "depths": [1, 0, 0, 0]}})
    ended = call(f"--workdir={plain}", f"--output={tmp_path / 'x'}", method="gates")
    assert ended.returncode == 2
    assert "without srtg" in ended.stderr
    assert "Traceback" not in ended.stderr
