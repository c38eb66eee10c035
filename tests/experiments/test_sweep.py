"""Tests sweeps as a user starts them: their runs, refusals and tables."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from configs import synthetic
from experiments.config_overrides import overridden
from experiments.runs import scheduler, start_log, worker
from experiments.sweep.axes import combinations, read_axes
from experiments.sweep.combination import combined
from experiments.sweep.metric import Metric
from experiments.sweep.plan import Plan
from experiments.sweep.report import write_report
from experiments.sweep.results import ranked, read_result
from tests.commands import refusal, run_command
from tests.faults.processes import descendants, lists_children, living, wait_until
from tests.run.jobs import SETTINGS
from tests.training.test_resume import arrays
from vidjax.progress import ProgressLine
from vidjax.run import code_digest
from vidjax.trained.scoring import evaluate
from vidjax.trained.sources.run import open_run

ROOT = Path(__file__).parents[2]
SHORT = {"train.duration": "4 steps", "every.checkpoint": "2 steps", "every.evaluate": "2 steps"}


def settings(**changes):
    given = SETTINGS | SHORT | {name.replace("__", "."): text for name, text in changes.items()}
    return [
        "--config=configs/synthetic.py",
        *(f"--config.{path}={value}" for path, value in given.items()),
    ]


def sweep(folder, *arguments, **changes):
    given = (*settings(**changes), f"--workdir={folder}", *arguments)
    return run_command("experiments.sweep", *given)


def rows(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def scores(workdir, split="val-2x1"):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [line["top1"] for line in lines if line["split"] == split]


GRID = ("--grid", "train.train_only=head,nowhere", "--seeds=2")
METRIC = Metric("top1", "last", "val-2x1")
PATHS = ["train.train_only"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Runs two combinations with two seeds in this process; one combination cannot be trained."""
    folder = tmp_path_factory.mktemp("sweep") / "runs"
    base = overridden(
        synthetic.get_config(), {name: str(x) for name, x in (SETTINGS | SHORT).items()}
    )
    axes = read_axes([GRID[1]], [])
    tried = combined(base, combinations(axes), "val")
    varied = {"axes": [[dict(each) for each in axes[0].choices]], "seeds": 2, "split": "val"}
    plan = Plan(folder, tried, 2, varied)
    plan.write_down()
    for run in plan.runs:
        worker.carry_out(scheduler.make_order(run, code_digest.digest()))
    start_log.note(folder, START)
    return plan


START = {"date": "2026-01-02", "command": "c", "hardware": "h", "workers": 2, "seconds": 61.0}


@pytest.fixture(scope="module")
def folder(plan):
    write_report(plan, METRIC, PATHS)
    return plan.folder


def test_every_combination_is_trained_with_every_seed(folder):
    for seed in (0, 1):
        config = json.loads((folder / f"train_only=head/seed{seed}/config.json").read_text())
        assert (config["train"]["train_only"], config["seed"]) == ("head", seed)
        assert config["eval"]["split"] == "val"


def test_failed_runs_are_reported_and_the_others_continue(folder):
    states = {(row["train.train_only"], row["seed"]): row for row in rows(folder / "runs.csv")}
    assert {row["state"] for (part, _), row in states.items() if part == "head"} == {"finished"}
    failed = [states["nowhere", seed] for seed in "01"]
    assert {row["state"] for row in failed} == {"failed"}
    text = (folder / "table.md").read_text()
    assert f"- `train_only=nowhere/seed0` failed: {failed[0]['error']}" in text
    assert "| nowhere | – | 0 of 2 | – |" in text


def test_the_table_has_the_means_of_the_runs(folder):
    first, last = rows(folder / "table.csv")
    values = np.array([scores(folder / f"train_only=head/seed{seed}")[-1] for seed in (0, 1)])
    assert first["combination"] == "train_only=head"
    assert float(first["top1"]) == pytest.approx(values.mean(), abs=1e-6)
    # 12.7062 is the 97.5 % quantile of one degree of freedom in printed tables.
    half = 12.7062 * values.std(ddof=1) / math.sqrt(2)
    assert float(first["top1_half"]) == pytest.approx(half, rel=1e-4)
    assert (last["combination"], last["finished"], last["top1"]) == ("train_only=nowhere", "0", "")
    assert "compared on the split `val`" in (folder / "table.md").read_text()
    assert cv2.imread(str(folder / "figure.png")).std() > 5


def test_the_best_evaluation_of_a_run_can_be_chosen(plan, folder):
    for name, best in (("top1", max), ("loss", min)):
        lines = folder / "train_only=head/seed0/metrics.jsonl"
        kept = lines.read_text()
        # A third evaluation that is worse by both metrics.
        worse = {"step": 5, "split": "val-2x1", "top1": 0.0, "loss": 9.0}
        better = {**worse, "step": 3, "top1": 1.0, "loss": 0.5}
        lines.write_text(kept + json.dumps(better) + "\n" + json.dumps(worse) + "\n")
        run = plan.of(plan.combinations[0])[0]
        found = read_result(run, Metric(name, "best", "val-2x1"))
        lines.write_text(kept)
        assert found.score == best(better[name], worse[name])
        assert found.step == 3


def test_combinations_are_ranked_in_the_direction_of_the_metric(tmp_path):
    tried = combined(
        synthetic.get_config(), [{"optimizer.momentum": str(k / 10)} for k in range(3)], "val"
    )
    plan = Plan(tmp_path, tried, 1, {})
    for run, value in zip(plan.runs, (0.5, 0.9, 0.7), strict=True):
        run.workdir.mkdir(parents=True)
        line = {"step": 4, "split": "val-1x1", "top1": value, "loss": value}
        (run.workdir / "metrics.jsonl").write_text(json.dumps(line) + "\n")
        run.record.write_text(json.dumps({"state": "finished", "step": 4}))
    for name, order in (("top1", [0.9, 0.7, 0.5]), ("loss", [0.5, 0.7, 0.9])):
        found = ranked(plan, Metric(name, "last", "val-1x1"))
        assert [summary.over_seeds.mean for summary in found] == order
    with pytest.raises(ValueError, match="has no map of val-1x1, but top1, loss; name another"):
        ranked(plan, Metric("map", "last", "val-1x1"))


def test_the_command_repeats_no_finished_run(plan, folder, tmp_path):
    """It finds a stored plan whose runs are all finished."""
    only = {"axes": [plan.varied["axes"][0][:1]], "seeds": 2, "split": "val"}
    Plan(tmp_path, plan.combinations[:1], 2, only).write_down()
    shutil.copytree(folder / "train_only=head", tmp_path / "train_only=head")
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("train_only=head/**/*")}
    done = sweep(tmp_path, "--grid=train.train_only=head", "--seeds=2")
    assert done.returncode == 0, done.stderr
    assert "2 runs: 1 combination with 2 seeds. Finished: 2." in done.stdout
    assert {file: file.stat().st_mtime_ns for file in before} == before
    best = f"vidjax evaluate --workdir={tmp_path}/train_only=head/seed0 --config.eval.split=test"
    assert best in done.stdout
    assert "warning" not in done.stderr
    assert rows(tmp_path / "table.csv") == rows(folder / "table.csv")[:1]


def test_another_plan_in_the_same_directory_is_refused(folder):
    before = (folder / "plan.json").read_bytes()
    done = sweep(folder, *GRID, optimizer__momentum=0.5)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "runs.train_only=head/seed0.optimizer.momentum is 0.9 there, 0.5 here" in last
    assert "Name another --workdir" in last
    assert (folder / "plan.json").read_bytes() == before


def test_two_seeds_are_fused(plan, folder, tmp_path):
    """Here the inputs of `vidjax fuse` are real runs."""
    runs = plan.of(plan.combinations[0])
    with ProgressLine(silent=True) as progress:
        for run in runs:
            trained = open_run(run.workdir, run.config)
            evaluate(run.config, trained, run.workdir, progress, keep_scores=True)
    workdirs = [run.workdir for run in runs]
    done = run_command("experiments.fuse", *workdirs, "--weights=1,3", f"--output={tmp_path}/fused")
    assert done.returncode == 0, done.stderr
    name = "val-2x1-step4-scores.npz"
    one, two = (np.load(run / "eval" / name, allow_pickle=False) for run in workdirs)
    assert one["labels"].tolist() == two["labels"].tolist()
    mean = (one["scores"].astype(float) + 3 * two["scores"]) / 4
    fused = np.load(tmp_path / "fused/eval/val-2x1-step0-scores.npz", allow_pickle=False)
    np.testing.assert_allclose(fused["scores"], mean, atol=1e-6)
    report = json.loads((tmp_path / "fused/eval/val-2x1-step0.json").read_text())
    right = one["classes"][mean.argmax(axis=1)] == one["labels"]
    assert report["top1"] == pytest.approx(right.mean())
    assert json.loads(str(one["about"]))["views"]["clips"] == 2


REFUSED = {
    "optimizer.lr is varied, so --config.optimizer.lr has no effect": ["--grid=optimizer.lr=0.1"],
    "optimizer.momentum = 2.0: must be": [
        "--grid",
        "optimizer.nesterov=true",
        "optimizer.momentum=0.5,2",
    ],
    "model.name=r3d_81: model 'r3d_81' is unknown: did": ["--grid", "model.name=r3d_18,r3d_81"],
    "the split 'train' is used for training": ["--grid", "optimizer.momentum=0.5", "--split=train"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_invalid_settings_are_refused_before_anything_runs(tmp_path, message):
    done = sweep(tmp_path / "runs", *REFUSED[message])
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "runs").exists()


def test_a_directory_with_other_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    error = refusal(sweep(tmp_path, "--grid", "optimizer.momentum=0.5"))
    assert "is not empty and has no plan.json; name another --workdir" in error
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def started(folder, *arguments):
    command = [sys.executable, "-m", "experiments.sweep", f"--workdir={folder}", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process, folder, all_of_them):
    """Kills a sweep as soon as its runs have saved new checkpoints."""
    saved = lambda: len(list(folder.glob("*/seed0/checkpoints/[0-9]*")))  # noqa: E731
    before = saved()
    assert wait_until(lambda: saved() > before, 120), process.communicate()
    below = descendants(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if all_of_them:
        for pid in below:
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not living(below), 20)


@lists_children
@pytest.mark.slow
@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_killed_sweep_resumes_and_ends_like_an_uninterrupted_one(tmp_path, all_of_them):
    """The runs either continue until they have saved, or are killed too."""
    longer = {"train__duration": "200 steps", "every__evaluate": "100 steps"}
    longer["every__checkpoint"] = "20 steps"
    given = [*settings(**longer), "--grid", "optimizer.momentum=0.5,0.8", "--workers=2"]
    unbroken, folder = tmp_path / "unbroken", tmp_path / "sweep"
    output, _ = started(unbroken, *given).communicate(timeout=300)
    assert "2 runs: 2 combinations with 1 seed. Finished: 0." in output
    for _ in range(2):
        kill(started(folder, *given), folder, all_of_them)
    # The next sweep starts at once, while runs of the previous one may still be saving.
    process = started(folder, *given)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    for run in ("momentum=0.5/seed0", "momentum=0.8/seed0"):
        assert (folder / run / "metrics.jsonl").read_text() == (
            unbroken / run / "metrics.jsonl"
        ).read_text()
        (step, one), (other, two) = arrays(folder / run), arrays(unbroken / run)
        assert step == other
        assert all((one[name] == two[name]).all() for name in one)
    kept = [rows(each / "table.csv") for each in (folder, unbroken)]
    for table in kept:
        for row in table:
            del row["seconds"]
    assert kept[0] == kept[1]


def test_runs_are_reported_as_they_end(tmp_path, monkeypatch):
    """Each end is reported once, in the calling thread."""
    program = (
        "import json, sys; order = json.loads(sys.stdin.readline()); "
        "json.dump({'state': 'finished', 'step': 4}, open(order['record'], 'w'))"
    )
    monkeypatch.setattr(scheduler, "COMMAND", (sys.executable, "-c", program))
    tried = combined(
        synthetic.get_config(), [{"optimizer.momentum": str(k / 10)} for k in range(4)], "val"
    )
    plan = Plan(tmp_path, tried, 2, {})
    ended = []
    scheduler.execute(plan.runs, 3, tmp_path / "compiled", lambda text: None, ended.append)
    assert sorted(run.name for run in ended) == sorted(run.name for run in plan.runs)
    assert plan.unfinished == []
