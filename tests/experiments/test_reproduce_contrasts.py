"""Tests contrasts: their definition, their results and their report."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from experiments.reproduce.contrast_results import evaluate
from experiments.reproduce.contrasts import Contrast, contrasts, planned
from experiments.reproduce.figure import compose
from experiments.reproduce.plan import Plan
from experiments.reproduce.report import write_report
from experiments.reproduce.results import read_result
from experiments.reproduce.statistics import summarize
from experiments.reproduce.table import find_tables
from experiments.runs.seed_statistics import holm
from tests.experiments.test_reproduce_statistics import TABLE, TRAIN_VIDEOS, VIDEOS, finish

PRIMARY = Contrast("method", "plain", "made_up")
NAMED = dataclasses.replace(
    TABLE,
    primary=PRIMARY,
    contrasts=contrasts(
        ["plain", "method", "other"], "plain", ["made_up"], "top1", "timed_top1", "gap"
    ),
)
RIGHT = {
    "plain": [20, 18, 22, 19],
    "method": [26, 22, 25, 27],
    "other": [21, 18, 19, 20],
}
OF_TRAIN = {"plain": [45, 44, 48, 46], "method": [40, 41, 40, 42], "other": [44, 45, 47, 43]}


def plan_of(table, root, seeds=(0, 1, 2, 3)):
    setup = dataclasses.replace(table.setups["small"]["made_up"], seeds=seeds)
    table = dataclasses.replace(table, setups={"small": {"made_up": setup}})
    return Plan.of(table, "small", ["made_up"], root, root / "data")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("contrasts")
    plan = plan_of(NAMED, root)
    for run in plan.runs:
        # The correct videos depend on the seed, so that McNemar's tests differ.
        right = range(run.seed, run.seed + RIGHT[run.row][run.seed])
        finish(run, right, OF_TRAIN[run.row][run.seed], 1.0)
    text = write_report(plan).read_text()
    rows = list(csv.DictReader((plan.folder / "contrasts.csv").read_text().splitlines()))
    return plan, text, {(row["row"], row["metric"]): row for row in rows}


def differences(row, metric):
    """Returns the row minus `plain`, seed by seed, from the numbers of correct videos."""
    top1 = np.subtract(RIGHT[row], RIGHT["plain"]) / VIDEOS
    if metric == "top1":
        return top1
    return np.subtract(OF_TRAIN[row], OF_TRAIN["plain"]) / TRAIN_VIDEOS - top1


@pytest.mark.parametrize("metric", ["top1", "gap"])
@pytest.mark.parametrize("row", ["method", "other"])
def test_a_contrast_is_a_paired_test_over_seeds(written, row, metric):
    _, _, rows = written
    by_hand, found = differences(row, metric), rows[row, metric]
    assert float(found["difference"]) == pytest.approx(by_hand.mean())
    assert float(found["p"]) == pytest.approx(stats.ttest_1samp(by_hand, 0).pvalue, rel=1e-4)
    low, high = stats.t.interval(0.95, 3, loc=by_hand.mean(), scale=stats.sem(by_hand))
    assert float(found["half_over_seeds"]) == pytest.approx((high - low) / 2, rel=1e-4)
    assert found["seeds"] == "4"
    # A gap has no interval over videos, because it uses videos of two splits.
    assert (found["half_over_seeds_and_videos"] == "") == (metric == "gap")


def test_all_but_the_primary_contrast_are_corrected_together(written):
    _, text, rows = written
    assert len(rows) == 6
    primary = rows.pop(("method", "top1"))
    assert (primary["primary"], primary["p_corrected"]) == ("1", primary["p"])
    p_values = [float(row["p"]) for row in rows.values()]
    found = [float(row["p_corrected"]) for row in rows.values()]
    assert found == pytest.approx(holm(p_values), rel=1e-4)
    assert "**method - plain**" in text
    assert "of the other 5 contrasts together" in text


def test_the_text_has_the_detectable_difference_of_the_plan(written):
    plan, text, _ = written
    assert "With 4 seeds and 40 test videos the plan finds a difference of" in text
    assert "from 4 finished seeds of method - plain, top-1, made_up" in text
    assert (plan.folder / "power.png").read_bytes().startswith(b"\x89PNG")


def test_seeds_with_videos_of_their_own_are_compared_seed_by_seed(tmp_path):
    plan = plan_of(NAMED, tmp_path)
    for run in plan.runs:
        finish(run, range(RIGHT[run.row][run.seed]), 40, 1.0)
        # The test videos of a seed, as with folds, are in no other seed.
        (file,) = (run.workdir / "eval").glob("test-*-predictions.csv")
        head, *lines = file.read_text().splitlines()
        file.write_text("\n".join([head, *(f"fold{run.seed}-{line}" for line in lines)]))
    text = write_report(plan).read_text()
    found = evaluate(plan, [read_result(run, ("b",)) for run in plan.runs])
    (primary,) = (each for each in found if each.primary)
    assert not primary.same_videos
    by_hand = differences("method", "top1")
    assert primary.over_videos == primary.over_seeds
    assert primary.over_seeds.mean == pytest.approx(by_hand.mean())
    assert primary.variances.seeds == pytest.approx(np.var(by_hand, ddof=1))
    assert [test.c - test.b for test in primary.tests] == pytest.approx(VIDEOS * by_hand)
    assert "With 4 seeds and 40 test videos the plan finds a difference of" in text
    assert "it covers other seeds and other test videos, because each seed has videos" in text
    assert "Each seed has test videos of its own" in text


def test_seeds_that_share_some_videos_are_refused(tmp_path):
    plan = plan_of(NAMED, tmp_path)
    for run in plan.runs:
        finish(run, range(RIGHT[run.row][run.seed]), 40, 1.0)
        (file,) = (run.workdir / "eval").glob("test-*-predictions.csv")
        file.write_text(file.read_text().replace("video00", f"fold{run.seed}"))
    with pytest.raises(ValueError, match="test all seeds on the same videos, or each on videos of"):
        write_report(plan)


def test_columns_of_timed_classes_are_left_out_without_such_classes(written, tmp_path):
    _, text, _ = written
    setup = dataclasses.replace(TABLE.setups["small"]["made_up"], timed=())
    table = dataclasses.replace(TABLE, setups={"small": {"made_up": setup}})
    plan = plan_of(table, tmp_path)
    for run in plan.runs:
        finish(run, range(RIGHT[run.row][run.seed]), 40, 1.0)
    head, without = (
        next(line for line in each.splitlines() if line.startswith("| row |"))
        for each in (text, write_report(plan).read_text())
    )
    assert head.count("timed classes") == 2
    assert without == head.replace("timed classes % | ", "").replace(
        "timed classes, difference | ", ""
    )


def test_the_figure_has_a_line_per_contrast_and_a_dot_per_seed(written):
    plan, _, _ = written
    results = [read_result(run, ("b",)) for run in plan.runs]
    found = evaluate(plan, results)
    summaries = {"made_up": summarize(plan, results, "made_up")}
    axes = compose(summaries, found, "plain", "a title").axes
    # Three metrics of the contrasts and top-1.
    assert len(axes) == 4
    *differences_of, accuracy = axes
    for panel, metric in zip(differences_of, ("top1", "timed_top1", "gap"), strict=True):
        shown = [each for each in found if each.contrast.metric == metric]
        names = [label.get_text() for label in panel.get_yticklabels()]
        assert names == ["the method", "another"]
        dots = [line for line in panel.get_lines() if line.get_marker() == "."]
        for line, each in zip(dots, shown, strict=True):
            assert line.get_xdata() == pytest.approx(100 * np.array(each.by_seed))
    assert accuracy.get_xlim() == (0, 100)
    assert len(accuracy.get_yticklabels()) == 3


def test_contrasts_are_in_the_plan_before_a_run(tmp_path):
    plan = plan_of(NAMED, tmp_path)
    plan.write_down()
    file = plan.folder / "plan.json"
    mapping = json.loads(file.read_text())
    assert mapping["primary"] == "method - plain, top-1, made_up"
    assert mapping["contrasts"]["other - plain, gap, made_up"] == {
        "row": "other",
        "reference": "plain",
        "dataset": "made_up",
        "metric": "gap",
    }
    assert not list(tmp_path.rglob("seed*"))
    other = dataclasses.replace(NAMED, primary=Contrast("other", "plain", "made_up"))
    with pytest.raises(ValueError, match="plan.json is another plan: .*primary is"):
        plan_of(other, tmp_path).write_down()


def test_a_table_that_names_no_contrast_compares_each_row_by_top1(tmp_path):
    plan = plan_of(TABLE, tmp_path)
    assert plan.contrasts == contrasts(["plain", "method", "other"], "plain", ["made_up"], "top1")
    assert plan.primary is None


def test_contrasts_of_other_data_sets_are_left_out():
    rows = {"here": [("a", "b"), ("b", "b")]}
    here, there = Contrast("a", "b", "here"), Contrast("a", "b", "there")
    assert planned([here, there], rows) == (here,)
    assert planned([there], rows) == (here,)
    with pytest.raises(ValueError, match="'c' is not trained on here"):
        planned([Contrast("c", "b", "here")], rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("a", "a", "here"), "a is compared with itself"),
        (("a", "b", "here", "loss"), "metric 'loss' is unknown; use one of top1, timed_top1, gap"),
    ],
)
def test_invalid_contrasts_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Contrast(*settings)


def test_every_experiment_of_our_own_names_a_primary_contrast_of_its_rows():
    tables = [table for table in find_tables(["all"]) if table.name.startswith("evidence.")]
    assert tables
    for table in tables:
        names = {row.name for row in table.rows}
        assert table.primary.dataset in table.setups["small"]
        for each in (table.primary, *table.contrasts):
            assert {each.row, each.reference} <= names
            assert each.dataset in table.setups["small"]
