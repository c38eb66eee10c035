"""Tests the papers' figures: they show the data that training, selection and logs have."""

import json

import numpy as np
import pytest
from scipy import stats

from experiments.figure import curves, frames, multigrid, starts
from tests.commands import refusal, run_command
from vidjax.data.multigrid import GridShape, Multigrid
from vidjax.data.pipeline import ClipShape


def call(*arguments, cwd):
    return run_command("experiments.figure", *arguments, cwd=cwd)


def test_the_steps_of_each_cycle_cost_the_same():
    base = GridShape(32, 16, 224)
    tables = multigrid.tables(Multigrid(both="capped"), base, 24)
    assert {len(table) for table in tables.values()} == {24}
    assert tables["none"].shapes == (base,)
    # Thesis, 4.4.1: long cycles have 8B, 4B, 2B and B clips, short ones 4B, 2B and B.
    long, short = tables["long"], tables["short"]
    assert [long.shape(step).batch for step in (0, 6, 12, 18)] == [256, 128, 64, 32]
    assert [short.shape(step).batch for step in (0, 1, 2)] == [128, 64, 32]
    figure = multigrid.draw(Multigrid(both="capped"), base, 24)
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert heights[1] == [long.shape(step).batch for step in range(24)]


def test_starts_are_normal_around_a_quarter_of_the_video():
    found = starts.sample(ClipShape(16, 5, 16, sampling="normal_start"), 250, draws=4000)
    assert found.starts.sum() == pytest.approx(1)
    # Starts are truncated to the first half.
    assert not found.starts[126:].any()
    law = stats.truncnorm(-1.5, 1.5, loc=62.5, scale=250 / 6)
    expected = law.cdf(62.5) - law.cdf(20)
    assert found.starts[21:63].sum() == pytest.approx(expected, abs=0.03)
    assert found.frames.sum() == pytest.approx(16)
    assert starts.draw(found).axes[0].get_ylabel() == "% of clips that start here"


def test_curves_are_what_the_runs_have_logged(tmp_path):
    lines = [
        {"step": 1, "split": "train", "top1": 0.25, "loss": 1.0},
        {"step": 2, "split": "train", "top1": 0.5, "loss": 0.9},
        {"step": 2, "split": "test", "top1": 0.4, "loss": 1.1},
        {"step": 2, "split": "timing/train", "seconds": 3.0},
    ]
    run = tmp_path / "plain"
    run.mkdir()
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = curves.read(run)
    assert found.by_split == {"train": ([1, 2], [25.0, 50.0]), "test": ([2], [40.0])}
    # With many log lines, a point is the mean of several, at the last of them.
    assert curves.thinned([1, 2, 3, 4, 5], [1.0, 3.0, 5.0, 7.0, 9.0], 3) == ([2, 4, 5], [2, 6, 9])
    (axes,) = curves.draw([found]).axes
    assert [line.get_linestyle() for line in axes.lines] == ["--", "-"]
    assert axes.get_xlabel() == "step"
    output = tmp_path / "curves.png"
    done = call("curves", run, f"--output={output}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes()[:4] == b"\x89PNG"


def run_of(folder, epochs, tests):
    """Writes a run with epochs of ten steps, evaluated after each epoch."""
    folder.mkdir(parents=True)
    lines = [{"step": 3, "split": "train", "top1": 0.01}]
    for number, (train, test) in enumerate(zip(epochs, tests, strict=True), 1):
        at = {"step": 10 * number}
        lines.append(at | {"split": "train_epoch", "epoch": number, "top1": train})
        lines.append(at | {"split": "val-1x1", "top1": test})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_curves_of_a_row_are_means_over_its_seeds_with_a_band(tmp_path):
    plain = [
        run_of(tmp_path / "plain/seed0", (0.3, 0.9), (0.25, 0.5)),
        # An unfinished seed shortens the row.
        run_of(tmp_path / "plain/seed1", (0.5, 0.7, 0.8), (0.35, 0.4, 0.4)),
    ]
    rms = run_of(tmp_path / "rms/seed0", (0.2, 0.6), (0.3, 0.6))
    runs = [curves.read(run) for run in (*plain, rms)]
    assert [run.row for run in runs] == ["plain", "plain", "rms"]
    bands = curves.over_seeds(runs[:2])
    assert bands["train"].steps.tolist() == [10, 20]
    np.testing.assert_allclose(bands["train"].mean, [40, 80])
    np.testing.assert_allclose(bands["train"].low, [30, 70])
    np.testing.assert_allclose(bands["val-1x1"].high, [35, 50])
    (axes,) = curves.draw(runs).axes
    assert axes.get_xlabel() == "epoch"
    assert [line.get_xdata().tolist() for line in axes.lines] == 4 * [[1.0, 2.0]]
    assert [line.get_linestyle() for line in axes.lines] == ["--", "-", "--", "-"]
    colors = [line.get_color() for line in axes.lines]
    assert colors[0] == colors[1] != colors[2] == colors[3]
    assert len(axes.collections) == 2  # Bands of the row with two seeds.
    labels = [line.get_label() for line in axes.lines]
    assert labels == [
        "plain, train: 80.0",
        "plain, val-1x1: 45.0, gap 35.0",
        "rms, train: 60.0",
        "rms, val-1x1: 60.0, gap 0.0",
    ]


def test_selected_frames_are_outlined():
    selection = frames.Selection(
        np.zeros((6, 4, 4, 3)), np.array([1.9, 1.5, 1.8, 1.6]), np.array([2, 3, 4]), "stem"
    )
    *pictures, below = frames.draw(selection).axes
    widths = [axes.spines["left"].get_linewidth() for axes in pictures]
    assert widths == [1, 1, 3, 3, 3, 1]
    # The least redundant frame has the highest bar.
    assert [round(bar.get_height(), 3) for bar in below.patches] == [0.1, 0.5, 0.2, 0.4]


def test_figures_of_configurations_are_drawn_by_the_command(tmp_path):
    for kind, config in (("multigrid", "srtg"), ("starts", "mtnet")):
        output = tmp_path / f"{kind}.png"
        done = call(kind, f"--config={config}", f"--output={output}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert output.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["curve"], "did you mean 'curves'"),
        (["curves"], "no runs are named: vidjax figure curves RUN"),
        (["multigrid", "runs/a", "--config=srtg"], "takes no runs"),
        (["starts"], "name a configuration with --config"),
        (
            ["starts", "--config=mtnet", "--layer=stem"],
            "is for the figure frames alone",
        ),
        (["frames"], "--video is missing"),
        (["curves", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message, tmp_path):
    output = tmp_path / "x.png"
    assert message in refusal(call(*arguments, f"--output={output}", cwd=tmp_path))
    assert not output.exists()
