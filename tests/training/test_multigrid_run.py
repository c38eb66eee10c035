"""Tests multigrid training: a run killed in mid-cycle ends like an uninterrupted one."""

import json
import shutil

import numpy as np
import pytest

from configs import synthetic
from tests.training.test_resume import arrays
from vidjax.data.multigrid import GridShape
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.training import multigrid
from vidjax.training.loop import train
from vidjax.training.plan import Plan


def config(**multigrid):
    made = synthetic.get_config()
    made.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    made.data.options = {"num_classes": 3, "videos": 60, "frames": 6, "size": 20}
    made.data.threads = 1
    made.clip.update({"frames": 4, "stride": 1, "size": 16})
    made.eval.update({"size": 16, "batch_size": 8})
    made.optimizer.update({"lr": 0.02, "reference_batch": 0})
    made.schedule.update({"name": "constant", "warmup": "0 steps"})
    made.train.update({"duration": "4 epochs", "batch_size": 2})
    made.every.update({"log": "1 steps", "checkpoint": "3 steps", "keep": 20})
    made.multigrid.update({"cycle": "long"} | multigrid)
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("multigrid") / "run"
    train(from_mapping(config()), workdir)
    return workdir


def lines(workdir, split):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["split"] == split]


def test_the_learning_rate_scales_with_the_batch_size(finished):
    rows = lines(finished, "train")
    # An epoch has 60 videos in batches of 16, 8, 4 and 2: 8 steps, two of each size.
    assert len(rows) == 32
    np.testing.assert_allclose([row["lr"] / 0.02 for row in rows], 4 * [8, 8, 4, 4, 2, 2, 1, 1])


def test_every_shape_is_compiled_once_in_advance(finished):
    rows = map(json.loads, (finished / "timing.jsonl").read_text().splitlines())
    bills = {row["split"]: row["seconds"] for row in rows if row["split"].startswith("compile")}
    shapes = ("16x1x12x12", "8x2x12x12", "4x2x16x16", "2x4x16x16")
    assert list(bills) == [*(f"compile {shape}" for shape in shapes), "compile"]
    assert bills.pop("compile") == pytest.approx(sum(bills.values()))


def test_input_and_step_throughput_are_compared_at_the_start(finished):
    rows = map(json.loads, (finished / "timing.jsonl").read_text().splitlines())
    (row,) = [row for row in rows if row["split"] == "input_throughput"]
    assert row["input_clips_per_second"] > 0
    assert row["step_clips_per_second"] > 0


def test_evaluation_uses_the_base_shape(finished):
    (report,) = (finished / "eval").glob("test-*.json")
    assert json.loads(report.read_text())["views"]["frames"] == 4


@pytest.mark.slow
def test_a_run_resumed_in_mid_cycle_is_the_same_bit_for_bit(finished, tmp_path):
    broken = tmp_path / "run"
    shutil.copytree(finished, broken)
    for folder in (broken / "checkpoints").iterdir():
        if folder.name.isdigit() and int(folder.name) > 21:
            shutil.rmtree(folder)
    (broken / "checkpoints" / "best.json").unlink()
    train(from_mapping(config()), broken)
    assert lines(broken, "train") == lines(finished, "train")
    (ended, expected), (again, found) = arrays(finished), arrays(broken)
    assert ended == again == 32
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_batches_are_divisible_by_norm_groups_and_accumulation():
    made = config(cycle="both")
    made.train.update({"batch_size": 12, "batch_norm": "3", "accumulate": 2})
    network = Network.of(from_mapping(made), ("a", "b", "c"))
    assert multigrid.batch_unit(network) == 6
    table = multigrid.make_schedule(network, Plan.of(network.config, 60, 6))
    assert {shape.batch % 6 for shape in table.shapes} == {0}
    for shape in table.shapes:
        # A norm group that does not divide a part of the batch would be refused here.
        assert multigrid.with_shape(network, shape).config.train.batch_size == shape.batch


def test_the_network_of_the_base_shape_is_unchanged():
    network = Network.of(from_mapping(config()), ("a", "b", "c"))
    assert multigrid.with_shape(network, GridShape(2, 4, 16)) is network
