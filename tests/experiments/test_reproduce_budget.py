"""Tests plans that are fitted to a number of hours."""

import json

import pytest

from experiments.reproduce import budget
from experiments.reproduce.contrasts import Contrast
from experiments.reproduce.markdown import render
from experiments.reproduce.plan import Plan
from experiments.reproduce.table import Row, Setup, Table
from tests.experiments.test_reproduce_run import configure

ROWS = ("plain", "method", "control", "other")


def plan_of(root, seeds=6, begins=""):
    rows = (*(Row(name, name) for name in ROWS[:-1]), Row(ROWS[-1], "other", begins=begins))
    setups = {"smoke": {"synthetic": Setup(configure, tuple(range(seeds)))}}
    primary = Contrast("method", "plain", "synthetic")
    table = Table("t.1", "a table", "no paper", rows, "plain", setups, primary=primary)
    return Plan.of(table, "smoke", ["synthetic"], root, root / "data")


def finish(run, seconds):
    run.record.parent.mkdir(parents=True, exist_ok=True)
    end = {"state": "finished", "step": 4, "seconds": seconds, "cpu_seconds": 1.0}
    run.record.write_text(json.dumps(end))


def measured(root, **changes):
    """Returns a plan whose first run took an hour; all others are estimated from it."""
    plan = plan_of(root, **changes)
    finish(plan.runs[0], 3600.0)
    return plan


@pytest.mark.parametrize(
    ("hours", "seeds", "rows"),
    [
        # Four rows of an hour each, two at a time: a seed takes two hours.
        (12, 6, ROWS),
        (11, 5, ROWS),
        (6, 3, ROWS),
        # Three seeds are kept, and rows are left out from the last one on.
        (5.9, 3, ROWS[:3]),
        (3, 3, ROWS[:2]),
    ],
)
def test_whole_seeds_are_left_out_before_rows(tmp_path, hours, seeds, rows):
    found = budget.fit(measured(tmp_path), hours, workers=2)
    assert (found.seeds, found.rows) == (tuple(range(seeds)), rows)
    assert found.estimate == pytest.approx(seeds * len(rows) / 2)
    assert found.estimate <= hours


def test_too_few_hours_are_refused_with_the_needed_number(tmp_path):
    with pytest.raises(ValueError, match="3 seeds of plain, method alone take about 3.0 hours"):
        budget.fit(measured(tmp_path), 2.9, workers=2)


def test_the_choice_is_made_once(tmp_path):
    plan = measured(tmp_path)
    first = budget.fit(plan, 6, workers=2)
    # Runs that turn out to be slow do not change the choice.
    finish(plan.runs[1], 36_000.0)
    assert budget.fit(plan_of(tmp_path), 6, workers=2) == first
    assert budget.fit(plan, 40, workers=2) != first


def test_finished_runs_count_with_their_own_time(tmp_path):
    plan = measured(tmp_path)
    of_method = [run for run in plan.runs if run.row == "method"]
    finish(of_method[0], 1800.0)
    seconds = budget.estimates(plan)
    assert {seconds[run.name] for run in of_method} == {1800.0}
    # A row without a finished run is estimated by the mean of the others on its data set.
    assert seconds["synthetic/control/seed2"] == 2700.0


def test_a_row_that_others_start_from_is_kept(tmp_path):
    found = budget.fit(measured(tmp_path, begins="control"), 4.5, workers=2)
    assert found.rows == ("plain", "method", "control")


def test_one_run_of_each_data_set_is_measured_first(tmp_path):
    plan = plan_of(tmp_path)
    assert budget.pilot(plan) == plan.runs[:1]
    with pytest.raises(ValueError, match="no run of t.1-smoke is finished"):
        budget.estimates(plan)
    finish(plan.runs[5], 60.0)
    assert budget.pilot(plan) == ()


def test_left_out_seeds_and_rows_are_named(tmp_path):
    plan = measured(tmp_path)
    found = budget.fit(plan, 5.9, workers=2)
    expected = (
        "--hours=5.9 leaves out seeds 3, 4, 5 of all rows and the rows other; the rest takes about "
        "4.5 hours"
    )
    assert found.in_words(plan) == expected
    assert expected in render(plan, {"synthetic": []}, [], [])
    # The note disappears when everything has been trained after all.
    for run in plan.runs:
        finish(run, 60.0)
    assert "leaves out" not in render(plan, {"synthetic": []}, [], [])


def test_a_damaged_choice_is_refused(tmp_path):
    plan = measured(tmp_path)
    budget.fit(plan, 6, workers=2)
    file = plan.folder / "budget.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seeds": "all"}))
    with pytest.raises(ValueError, match="budget.json is damaged"):
        budget.fit(plan, 6, workers=2)
