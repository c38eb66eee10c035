import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from experiments.benchmark.accelerator_jobs import NETWORKS, PARTS, jobs
from experiments.benchmark.flops_and_bytes import count_flops_and_bytes
from experiments.benchmark.timing import half_spread, time_in_turns
from tests.commands import refusal, run_command
from vidjax.evaluation.cost import count_cost
from vidjax.layers.conv import Conv

ROOT = Path(__file__).parents[2]


def call(*arguments, **environment):
    command = [sys.executable, "-m", "experiments.benchmark", *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture
def without_tensorflow(tmp_path):
    """Returns a path on which TensorFlow and TFDS cannot be imported."""
    for name in ("tensorflow", "tensorflow_datasets"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a machine without it')")
    return str(tmp_path)


def test_competitors_take_turns_and_the_first_round_does_not_count():
    calls = []
    times = time_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert times.keys() == {"a", "b"}


def test_half_spread_is_half_of_the_interquartile_range():
    values = np.random.default_rng(0).exponential(size=9)
    low, high = np.percentile(values, [25, 75])
    assert half_spread(list(values)) == pytest.approx((high - low) / 2)
    assert half_spread([1.0, 2.0]) is None


@pytest.mark.slow
def test_models_prints_and_writes_a_row_per_competitor(tmp_path, without_tensorflow):
    output = tmp_path / "new"
    done = call(
        "models", "--width=4", "--depths=0,0,0,1", "--batch=2", "--clip=2,16,16", "--classes=3",
        "--rounds=1", "--passes=forward,train", "--machine_rounds=1", f"--output={output}",
        PYTHONPATH=without_tensorflow,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"vidjax +│ +[\d.]+ │", done.stdout)) == 2
    with (output / "models.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["peer"] == "vidjax"]
    model = vidjax.create_model("r3d_18", num_classes=3, width=4, depths=(0, 0, 0, 1))
    cost = count_cost(model, (2, 16, 16))
    macs, params = cost.macs, cost.params
    assert [row["task"] for row in rows] == ["forward", "train"]
    for row, share in zip(rows, (1, 3), strict=True):
        assert float(row["clips_per_second"]) == pytest.approx(2e3 / float(row["ms"]))
        assert int(row["macs_per_clip"]) == macs
        flops = 2 * share * macs * float(row["clips_per_second"])
        assert float(row["flops_per_second"]) == pytest.approx(flops)
        assert int(row["memory"]) > 4 * min(share, 2) * params
    assert (output / "models.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--passes=backward"], "--passes=backward: must be one of forward, train"),
        (["--dtypes=float64"], "--dtypes=float64: must be one of float32, bfloat16"),
        (["--clip=8,64"], "--clip=8,64: must be FRAMES,HEIGHT,WIDTH"),
        (["--models=r3d_18,r3d_19"], "'r3d_19' is unknown"),
    ],
)
def test_models_refuses_unknown_values(flags, said):
    assert said in refusal(run_command("experiments.benchmark", "models", *flags))


def test_models_overwrites_nothing(tmp_path):
    (tmp_path / "models.csv").write_text("mine")
    done = run_command("experiments.benchmark", "models", f"--output={tmp_path}")
    assert "name a new folder" in done.stderr
    assert (tmp_path / "models.csv").read_text() == "mine"


class _Only(nn.Module):
    """A network of one layer."""

    layer: nn.Module

    @nn.compact
    def __call__(self, x, *, train):
        return self.layer(x.astype(jnp.bfloat16))


def test_traffic_counts_each_array_of_a_product_once():
    conv = Conv(5, (3, 3, 3), dtype=jnp.bfloat16)
    demand = count_flops_and_bytes(_Only(conv), (2, 4, 8, 8, 3))
    pixels = 2 * 4 * 8 * 8
    assert demand.macs == pixels * 27 * 3 * 5
    assert demand.traffic == 2 * (pixels * 3 + 27 * 3 * 5 + pixels * 5)


@pytest.mark.slow
def test_methods_prints_the_added_time_of_each_method():
    done = call(
        "methods", "--model=slowonly_34", "--width=4", "--depths=0,0,0,1", "--batch=2",
        "--clip=2,16,16", "--rounds=1", "--methods=RMS", "--passes=forward,train",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("forward pass", "train step"):
        table = done.stdout.partition(name)[2]
        assert re.search(r"without +│ +\d+ │ +\+0\.0% │ +\+0\.0 │", table)
        assert re.search(r"RMS +│ +\d+ │ +[+-]\d+\.\d% │ +[+-]\d+\.\d │", table)


def test_the_error_for_an_unknown_method_or_pass_lists_the_known_ones():
    for flag, known in (("methods", "RMS, RMS-GF"), ("passes", "forward, train")):
        said = refusal(run_command("experiments.benchmark", "methods", f"--{flag}=backward"))
        assert f"--{flag}=backward: must be one of {known}" in said


@pytest.mark.slow
def test_pyramids_prints_their_time_beside_a_forward_pass():
    done = call("pyramids", "--models=r3d_18", "--clip=2,32,32", "--rounds=1")
    assert done.returncode == 0, done.stderr
    shape = (2, 32, 32)
    operations = 2 * vidjax.count_cost(vidjax.create_model("r3d_18"), shape).macs / 1e9
    # Operations, theta, levels, kernels, seconds to compile, both times and their ratio.
    row = rf"r3d_18 +│ +{operations:.2f} │ +0\.6 │ +3 │( +\d+ │){{4}} +[+-]\d+%"
    assert re.search(row, done.stdout)
    assert f"r3d_18  {operations:.2f}  0.6  3" in done.stderr


def test_an_unknown_benchmark_shows_the_usage():
    done = call("modles")
    assert done.returncode == 2
    assert "vidjax benchmark models" in done.stderr


@pytest.mark.slow
def test_data_prints_a_row_per_storage_format():
    done = call(
        "data", "--seconds=2", "--clips=2", "--rounds=1", "--size=32", "--frames=4",
        "--short_sides=48", "--model=",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for form in ("JPEG, short side 48", "TFDS, whole video of 48", "PyAV, seek"):
        times = rf"{form} +│ +\d+\.\d │ +\d+\.\d │ +\d+ │ +\d+\.\d │ +\d+"
        assert re.search(times, done.stdout)
        assert re.search(rf"{form} +│ +\d+\.\d │ +\d+\.\d │\n", done.stdout)


@pytest.mark.slow
def test_multigrid_prints_the_time_of_an_epoch():
    done = call("multigrid", "--width=4", "--batch=1", "--clip=4,16,16", "--rounds=1")
    assert done.returncode == 0, done.stderr
    # 20,000 videos one by one, or 5.75 on average.
    assert re.search(r"none +│ +20000 │", done.stdout)
    assert re.search(r"both +│ +3478 │", done.stdout)


def test_the_accelerator_jobs_use_existing_networks_and_flags(tmp_path):
    assert set(NETWORKS) <= set(vidjax.list_models())
    one_a_part = {job.arguments[0]: job for job in jobs(tmp_path, list(PARTS), [])}
    assert one_a_part.keys() == PARTS.keys()
    for job in one_a_part.values():
        done = run_command("experiments.benchmark", *job.arguments, "--only_check_args")
        assert done.returncode == 0, done.stderr


def test_a_failed_job_is_in_the_report_beside_the_others(tmp_path, without_tensorflow):
    output = tmp_path / "new"
    done = call(
        "accelerator", "--tiny", "--parts=kernels,machine", "--job_seconds=0.01",
        f"--output={output}",
    )  # fmt: skip
    assert done.returncode == 1
    report = (output / "report.md").read_text()
    assert re.search(r"## kernels\n\n`.*kernels .*`: ended after 0.01 s", report)
    assert re.search(r"## machine\n\n`.*machine .*`: ended after 0.01 s", report)
    assert "failed: kernels, machine" in done.stderr


@pytest.mark.slow
def test_everything_is_measured_without_tensorflow(tmp_path, without_tensorflow):
    output = tmp_path / "new"
    done = call("accelerator", "--tiny", f"--output={output}", PYTHONPATH=without_tensorflow)
    assert done.returncode == 0, done.stderr
    report = (output / "report.md").read_text()
    assert report.count(": exit 0") == len(PARTS)
    assert re.search(r"\| r3d_18 width=4 \| forward \| float32 \| 2 x 2x16x16 \| vidjax", report)
    assert "The three largest costs: " in report
    assert (output / "models.csv").is_file()
    assert (output / "models.png").is_file()
