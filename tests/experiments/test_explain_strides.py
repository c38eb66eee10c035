"""Accuracy over strides: the table against evaluations and SciPy, the picture, refusals."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from scipy import stats

from configs import synthetic
from experiments.explain.strides_over_seeds import StrideCurves, draw, render
from tests.commands import refusal
from tests.experiments.test_explain import call, evaluated
from vidjax.explain.strides import StridePoint, stride_drop
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

STRIDES = (1, 2, 4)
# Correct ones of 200 videos at each stride, by seed; the runs were trained at stride 2.
COUNTS = {
    "plain": {0: (120, 180, 80), 1: (110, 170, 90), 2: (130, 190, 70)},
    "gated": {0: (150, 180, 140), 1: (140, 180, 120), 2: (150, 176, 150)},
}


def points(name, counts):
    return [
        StridePoint(name, stride, 2, correct / 200, correct, 200)
        for stride, correct in zip(STRIDES, counts, strict=True)
    ]


NETWORKS = [
    StrideCurves(name, {seed: points(name, counts) for seed, counts in of_seed.items()})
    for name, of_seed in COUNTS.items()
]


def drops(name):
    return [own / 200 - (slow + fast) / 400 for slow, own, fast in COUNTS[name].values()]


def test_the_report_has_the_mean_and_the_paired_test_of_the_drops():
    text = render(NETWORKS, ["wave_slowly"])
    plain, gated = drops("plain"), drops("gated")
    difference = np.subtract(gated, plain)
    low, high = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
    row = next(line for line in text.splitlines() if line.startswith("| gated"))
    assert row.startswith("| gated | 3 | 73.3 ± ")
    assert f"| {100 * np.mean(gated):+.1f} ± " in row
    assert f"| {100 * difference.mean():+.1f} ± {100 * (high - low) / 2:.1f} |" in row
    assert row.endswith(f" {stats.ttest_rel(gated, plain).pvalue:.2g} |")
    assert "200 test videos without wave_slowly." in text


def test_seeds_are_paired_by_number():
    shuffled = StrideCurves("gated", dict(reversed(NETWORKS[1].points.items())))
    assert render([NETWORKS[0], shuffled]) == render(NETWORKS)


def test_the_picture_shows_means_over_seeds_and_a_dot_for_each():
    curves, bars = draw(NETWORKS).axes
    lines = {line.get_label(): line for line in curves.lines}
    means = np.mean(list(COUNTS["gated"].values()), axis=0) / 2
    assert lines["gated"].get_ydata() == pytest.approx(means)
    assert list(lines["gated"].get_xdata()) == list(STRIDES)
    dots = [line.get_xdata() for line in bars.lines if line.get_marker() == "."]
    expected = [pytest.approx([100 * drop for drop in drops(name)]) for name in COUNTS]
    assert [list(own) for own in dots] == expected


@pytest.mark.parametrize("kept", [(1,), (0, 2)])
def test_a_drop_needs_the_stride_of_the_training_and_another(kept):
    some = [points("plain", COUNTS["plain"][0])[place] for place in kept]
    with pytest.raises(ValueError, match="needs the stride of the training and at least one"):
        stride_drop(some)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of few steps, trained at stride 2."""
    config = synthetic.get_config()
    config.model.name = "slowonly_34"
    config.model.options = {"width": 8, "depths": (0, 0, 1, 0), "dropout": 0.0}
    config.data.options = {"num_classes": 5, "videos": 40, "frames": 12, "size": 16}
    config.data.threads = 1
    config.clip.update({"frames": 4, "stride": 2, "size": 16})
    config.eval.update({"size": 16, "batch_size": 16})
    config.optimizer.lr = 0.05
    config.train.update({"duration": "8 steps", "batch_size": 8})
    config.every.update({"log": "8 steps", "checkpoint": "8 steps", "evaluate": "8 steps"})
    workdir = tmp_path_factory.mktemp("runs") / "seed0"
    train(from_mapping(config), workdir)
    return workdir


def changed(run, name, **parts):
    """A run with the same weights and another configuration."""
    copy = run.with_name(name)
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    for part, value in parts.items():
        config[part] = {**config[part], **value} if isinstance(value, dict) else value
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_the_table_agrees_with_evaluations_at_each_stride(run, tmp_path):
    other, output = changed(run, "seed1", seed=1), tmp_path / "out"
    ended = call(
        f"--workdir={run},{other}", "--strides=3,2", f"--output={output}", method="strides"
    )
    assert ended.returncode == 0, ended.stderr
    with (output / "strides.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = {2: evaluated(run), 3: evaluated(changed(run, "three", clip={"stride": 3}))}
    found = {
        (row["run"], int(row["stride"])): (float(row["top1"]), int(row["videos"])) for row in rows
    }
    assert found == {
        (str(own), stride): (pytest.approx(top1), videos)
        for own in (run, other)
        for stride, (top1, videos) in expected.items()
    }
    assert {row["training_stride"] for row in rows} == {"2"}
    assert "| slowonly_34 | 2 |" in (output / "strides.md").read_text()
    assert cv2.imread(str(output / "strides.png")) is not None


def test_strides_are_not_reduced_to_fit_short_videos(run, tmp_path):
    fitted = changed(run, "fitted", clip={"fit": True})
    ended = call(
        f"--workdir={run},{fitted}", "--strides=2,4", f"--output={tmp_path}", method="strides"
    )
    assert ended.returncode == 0, ended.stderr
    with (tmp_path / "strides.csv").open(newline="") as stream:
        of_run = {row["run"]: [] for row in csv.DictReader(stream)}
        stream.seek(0)
        for row in csv.DictReader(stream):
            of_run[row["run"]].append(row["correct"])
    assert of_run[str(run)] == of_run[str(fitted)]


def test_classes_can_be_left_out(run, tmp_path):
    left_out = ["--without_classes=brightness 0,brightness 3", "--strides=1,2"]
    ended = call(f"--workdir={run}", *left_out, f"--output={tmp_path}", method="strides")
    assert ended.returncode == 0, ended.stderr
    with (tmp_path / "strides.csv").open(newline="") as stream:
        assert {row["videos"] for row in csv.DictReader(stream)} == {"24"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strides=1,3"], "--strides=1,3: needs 2, which"),
        (["--strides=2,0"], "--strides=2,0: must be whole numbers"),
        (
            ["--without_classes=brihgtness 3"],
            "class 'brihgtness 3' is unknown: did you mean 'brightness 3'",
        ),
    ],
)
def test_wrong_flags_are_refused(run, tmp_path, flags, message):
    output = tmp_path / "out"
    ended = call(f"--workdir={run}", *flags, f"--output={output}", method="strides")
    assert message in refusal(ended)
    assert not list(output.glob("*"))


def test_clips_without_a_stride_are_refused(run, tmp_path):
    segments = changed(run, "segments", clip={"sampling": "segments"})
    ended = call(f"--workdir={segments}", f"--output={tmp_path}", method="strides")
    assert "clip.sampling = 'segments'" in refusal(ended)
