"""Tests tuning: the same grid for each row, validation videos only, and the choices in the plan."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from experiments.reproduce import code_digest, run, tuning, worker
from experiments.reproduce.plan import Plan
from experiments.reproduce.table import Row, Setup, Table, Tuning, find_tables
from tests.experiments.test_reproduce_run import configure
from vidjax.evaluation.report import write_report

GRID = Tuning((0.01, 0.1), ("2 steps", "4 steps"))
ROWS = (Row("plain", "plain"), Row("method", "method"))


def table_of(grid=GRID):
    setups = {"smoke": {"synthetic": Setup(configure, (0, 1), tuning=grid)}}
    return Table("t.1", "a table", "no paper", ROWS, "plain", setups)


def trials_of(root, grid=GRID):
    return tuning.trials(table_of(grid), "smoke", ["synthetic"], root, root / "data")


def finish(trial, right):
    """Writes the result of a trial with this number of ten validation videos correct."""
    labels = np.zeros(10, int)
    predicted = np.where(np.arange(10) < right, 0, 1)
    write_report(
        trial.workdir / "eval",
        "val-1x1-step4",
        videos=[f"video{number}" for number in range(10)],
        scores=np.eye(2)[predicted] * 0.8 + 0.1,
        labels=labels,
        classes=["a", "b"],
        facts={},
    )
    end = {"state": "finished", "step": 4, "seconds": 1.0, "cpu_seconds": 1.0}
    trial.record.write_text(json.dumps(end))


def test_each_row_has_the_same_grid_another_seed_and_no_test_video(tmp_path):
    trials = trials_of(tmp_path)
    for row in ROWS:
        grid = {(each.rate, each.duration) for each in trials if each.row == row.name}
        assert grid == {(rate, length) for rate in GRID.rates for length in GRID.durations}
    assert len({each.workdir for each in trials}) == len(trials) == 8
    for each in trials:
        config = each.config
        assert (config.seed, config.eval.split) == (100, "val")
        assert (config.optimizer.lr, config.train.duration) == (each.rate, each.duration)
        assert each.also_scored == ()


def test_the_best_trial_is_chosen_and_used_by_the_plan(tmp_path):
    trials = trials_of(tmp_path)
    right = {"plain": [3, 8, 8, 5], "method": [1, 2, 3, 9]}
    for trial in trials:
        place = [each for each in trials if each.row == trial.row].index(trial)
        finish(trial, right[trial.row][place])
    folder = table_of().folder("smoke", tmp_path)
    chosen = tuning.choose(folder, trials)["synthetic"]
    # The first of equally good ones.
    assert (chosen["plain"].rate, chosen["plain"].duration) == (0.01, "4 steps")
    assert (chosen["method"].rate, chosen["method"].duration) == (0.1, "4 steps")
    assert chosen["method"].top1 == 0.9
    plan = Plan.of(table_of(), "smoke", ["synthetic"], tmp_path, tmp_path / "data")
    taken = {run.row: run.config.optimizer.lr for run in plan.runs}
    assert taken == {"plain": 0.01, "method": 0.1}
    assert {run.config.eval.split for run in plan.runs} == {"test"}
    plan.write_down()
    written = json.loads((folder / "plan.json").read_text())
    assert written["tuned"]["synthetic"]["method"]["rate"] == 0.1
    rows = list(csv.DictReader((folder / "tuning.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert {row["seed"] for row in rows} == {"100"}
    said = tuning.in_words(GRID, plan.chosen["synthetic"])
    assert "with seed 100, over the rates 0.01, 0.1 and the lengths 2 steps, 4 steps" in said
    assert "plain 0.01, 4 steps; method 0.1, 4 steps" in said


def test_failed_trials_are_never_chosen(tmp_path):
    trials = trials_of(tmp_path)
    failed = {"state": "failed", "error": "NonFiniteError: loss is nan"}
    for trial in trials:
        if trial.rate == 0.1:
            trial.record.parent.mkdir(parents=True, exist_ok=True)
            trial.record.write_text(json.dumps(failed))
        else:
            finish(trial, 5)
    folder = table_of().folder("smoke", tmp_path)
    chosen = tuning.choose(folder, trials)
    assert {each.rate for each in chosen["synthetic"].values()} == {0.01}
    for trial in trials:
        trial.record.write_text(json.dumps(failed))
    with pytest.raises(ValueError, match="all trials of plain on synthetic failed; see"):
        tuning.choose(folder, trials)


def test_a_table_that_was_not_tuned_says_so(tmp_path):
    assert tuning.read_choices(tmp_path) == {}
    assert "they were not tuned (--tune)" in tuning.in_words(GRID, {})
    assert tuning.in_words(None, {}) == ""


def test_no_run_of_a_table_has_the_seed_of_the_tuning():
    with pytest.raises(ValueError, match="seed 1 tunes the rows; the table needs others"):
        table_of(dataclasses.replace(GRID, seed=1))


def test_a_table_without_a_grid_is_not_tuned(tmp_path):
    with pytest.raises(ValueError, match="t.1 has no grid for synthetic at scale smoke"):
        trials_of(tmp_path, grid=None)


def test_another_grid_is_another_plan(tmp_path):
    tuning.write_down(table_of(), "smoke", tmp_path, trials_of(tmp_path))
    other = trials_of(tmp_path, grid=dataclasses.replace(GRID, rates=(0.01, 0.2)))
    with pytest.raises(ValueError, match="tuning/plan.json is another plan"):
        tuning.write_down(table_of(), "smoke", tmp_path, other)


def test_a_trial_is_trained_and_scored_on_validation_videos(tmp_path):
    trial = trials_of(tmp_path)[0]
    worker.carry_out(run.make_order(trial, code_digest.digest()))
    assert worker.read_record(trial.record)["state"] == "finished"
    reports = [file.name for file in (trial.workdir / "eval").glob("*.json")]
    assert reports == ["val-1x1-step2.json"]


def test_tables_of_our_own_are_tuned_over_three_rates():
    names = ("rms", "rms-cifar", "srtg", "mtconv", "cr-joint")
    tuned = [f"evidence.{name}" for name in names]
    grids = [
        setup.tuning for table in find_tables(tuned) for setup in table.setups["small"].values()
    ]
    assert all(grid and len(grid.rates) == 3 for grid in grids)
