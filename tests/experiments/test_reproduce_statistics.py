"""Tests the numbers of a table against computations by hand, from fake results of runs."""

import csv
import json
import math

import numpy as np
import pytest
from scipy import stats

from configs import synthetic
from experiments.reproduce.plan import Plan
from experiments.reproduce.report import write_report
from experiments.reproduce.statistics import interval
from experiments.reproduce.table import Row, Setup, Table
from experiments.runs import start_log
from vidjax.evaluation.report import write_report as write_evaluation

VIDEOS = 40
TRAIN_VIDEOS = 50
STEP = 7
START = {"date": "2026-01-02", "command": "c", "hardware": "h", "workers": 2, "seconds": 61.0}


def configure(row):
    config = synthetic.get_config()
    config.data.train_split = "train"
    return config


TABLE = Table(
    name="hand.1",
    title="by hand",
    source="no paper",
    rows=(Row("plain", "plain", 74.7), Row("method", "the method"), Row("other", "another")),
    reference="plain",
    setups={"small": {"made_up": Setup(configure, (0, 1, 2), "Nothing was tuned.", timed=("b",))}},
)


def evaluation(run, split, right, videos):
    labels = np.arange(videos) % 2
    predicted = np.where(np.isin(np.arange(videos), right), labels, 1 - labels)
    write_evaluation(
        run.workdir / "eval",
        f"{split}-1x1-step{STEP}",
        videos=[f"video{number:02}" for number in range(videos)],
        scores=np.eye(2)[predicted] * 0.8 + 0.1,
        labels=labels,
        classes=["a", "b"],
        facts={},
    )


def finish(run, right, right_of_train, seconds):
    """Writes the result of a run with these correct test videos and number of training videos."""
    evaluation(run, "test", right, VIDEOS)
    evaluation(run, "train", range(right_of_train), TRAIN_VIDEOS)
    lines = [
        {"split": split, "step": step, "top1": top1}
        for step, split, top1 in (
            (6, "train_epoch", 0.2),
            (12, "train_epoch", 0.6),
            (12, "train", 0.9),
        )
    ]
    lines += [{"split": "test-1x1", "step": STEP, "top1": 0.0}]
    (run.workdir / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (run.workdir / "timing.jsonl").write_text('{"step": 0, "split": "compile", "seconds": 3.5}\n')
    end = {"state": "finished", "step": STEP, "seconds": seconds, "cpu_seconds": 1.0}
    run.record.write_text(json.dumps(end))


PLAIN = [range(20), range(5, 25), range(24)]
METHOD = [range(10, 36), range(5, 27), range(2, 26)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes a table: two rows with three runs, and one with a failed and a lost run."""
    root = tmp_path_factory.mktemp("table")
    plan = Plan.of(TABLE, "small", ["made_up"], root, root / "data")
    runs = {(run.row, run.seed): run for run in plan.runs}
    for seed in range(3):
        finish(runs["plain", seed], PLAIN[seed], 45 + seed, 10.0 + seed)
        finish(runs["method", seed], METHOD[seed], 40, 20.0)
    finish(runs["other", 0], range(20), 20, 1.0)
    failed = {"state": "failed", "error": "NonFiniteError: loss is nan"}
    runs["other", 1].record.parent.mkdir(parents=True, exist_ok=True)
    runs["other", 1].record.write_text(json.dumps(failed))
    start_log.note(plan.folder, START)
    start_log.note(plan.folder, START)
    text = write_report(plan).read_text()
    sheets = [
        list(csv.DictReader((plan.folder / name).read_text().splitlines()))
        for name in ("table.csv", "runs.csv")
    ]
    return plan, text, *sheets


def by_name(rows):
    return {row["row"]: row for row in rows}


def test_means_and_their_intervals_are_those_of_student(written):
    _, _, rows, _ = written
    for name, right in (("plain", PLAIN), ("method", METHOD)):
        values = np.array([len(each) / VIDEOS for each in right])
        spread = math.sqrt(sum((values - values.mean()) ** 2) / 2)
        row = by_name(rows)[name]
        assert float(row["top1"]) == pytest.approx(values.mean(), abs=1e-6)
        # 4.30265 is the 97.5 % quantile of two degrees of freedom in printed tables.
        assert float(row["top1_half"]) == pytest.approx(4.30265 * spread / math.sqrt(3), rel=1e-4)
        assert (row["seeds"], row["finished"], row["test_videos"]) == ("3", "3", str(VIDEOS))


def test_the_interval_equals_that_of_scipys_t_distribution():
    values = [0.31, 0.28, 0.35, 0.3, 0.33]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    found = interval(values)
    assert found.mean - found.half == pytest.approx(low)
    assert found.mean + found.half == pytest.approx(high)
    assert interval([0.5]).mean == 0.5
    assert math.isnan(interval([0.5]).half)
    assert math.isnan(interval([]).mean)


def test_the_gap_is_that_between_training_and_test_videos(written):
    _, _, rows, runs = written
    plain = by_name(rows)["plain"]
    gaps = [(45 + seed) / TRAIN_VIDEOS - len(PLAIN[seed]) / VIDEOS for seed in range(3)]
    assert float(plain["gap"]) == pytest.approx(np.mean(gaps), abs=1e-6)
    assert [float(run["gap"]) for run in runs if run["row"] == "plain"] == pytest.approx(gaps)
    # Uses the line of the last epoch, not the last log line of steps.
    assert float(plain["train_accuracy"]) == pytest.approx(0.6)
    assert float(plain["gap_as_trained"]) == pytest.approx(0.6 - float(plain["top1"]), abs=1e-6)
    assert float(plain["seconds"]) == pytest.approx(11)
    assert {run["compile_seconds"] for run in runs if run["state"] == "finished"} == {"3.5"}


def test_timed_classes_are_scored_by_themselves(written):
    _, text, rows, runs = written
    # Labels alternate, so that every odd video is of class b.
    plain, method = (
        np.array([sum(video % 2 for video in right) / (VIDEOS // 2) for right in of_row])
        for of_row in (PLAIN, METHOD)
    )
    found = [float(run["timed_top1"]) for run in runs if run["row"] == "plain"]
    assert found == pytest.approx(plain, abs=1e-6)
    assert float(by_name(rows)["method"]["timed_top1"]) == pytest.approx(method.mean(), abs=1e-6)
    difference = float(by_name(rows)["method"]["timed_difference"])
    assert difference == pytest.approx((method - plain).mean(), abs=1e-6)
    assert "timed classes %" in text


def test_differences_are_taken_seed_by_seed(written):
    _, _, rows, _ = written
    differences = [(len(METHOD[k]) - len(PLAIN[k])) / VIDEOS for k in range(3)]
    method = by_name(rows)["method"]
    assert float(method["difference"]) == pytest.approx(np.mean(differences), abs=1e-6)
    half = 4.30265 * np.std(differences, ddof=1) / math.sqrt(3)
    assert float(method["difference_half"]) == pytest.approx(half, rel=1e-4)
    assert by_name(rows)["plain"]["difference"] == ""
    of_train = [(40 - (45 + seed)) / TRAIN_VIDEOS for seed in range(3)]
    gaps = np.subtract(of_train, differences)
    assert float(method["gap_difference"]) == pytest.approx(np.mean(gaps), abs=1e-6)


def counts(seed):
    plain, method = set(PLAIN[seed]), set(METHOD[seed])
    return len(plain - method), len(method - plain)


def two_sided(b, c):
    """Counts the probability of a split of b + c coin tosses that is at least as uneven."""
    fewer = sum(math.comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * fewer / 2 ** (b + c))


def test_mcnemar_is_computed_for_each_seed_separately(written):
    _, text, rows, runs = written
    assert not [column for column in rows[0] if "mcnemar" in column or "right" in column]
    assert "McNemar's test is made for each seed alone" in text
    for run in runs:
        if run["row"] == "method":
            b, c = counts(int(run["seed"]))
            assert (run["only_reference_right"], run["only_row_right"]) == (str(b), str(c))
            expected = stats.chi2.sf((abs(b - c) - 1) ** 2 / (b + c), 1)
            expected = two_sided(b, c) if b + c < 25 else expected
            assert float(run["mcnemar_p"]) == pytest.approx(expected, rel=1e-4)


def test_unfinished_runs_are_listed_and_do_not_count(written):
    plan, text, rows, runs = written
    other = by_name(rows)["other"]
    assert (other["finished"], other["top1"], other["top1_half"]) == ("1", "0.5", "")
    states = {run["seed"]: run["state"] for run in runs if run["row"] == "other"}
    assert states == {"0": "finished", "1": "failed", "2": "not started"}
    assert "`made_up/other/seed1` failed: NonFiniteError: loss is nan" in text
    assert "Not started: `made_up/other/seed2`." in text
    assert "| 1 of 3 |" in text
    assert len(runs) == len(plan.runs) == 9


def test_the_text_explains_the_numbers(written):
    plan, text, _, _ = written
    assert "50 training and 40 test videos" in text
    assert "| plain | 53.3 ± 14.3 |" in text
    assert "| 74.7 |" in text
    assert "Made in 2:02 in all, " in text
    assert "Nothing was tuned." in text
    assert (plan.folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_runs_on_other_videos_are_not_compared(written, tmp_path):
    plan = Plan.of(TABLE, "small", ["made_up"], tmp_path, tmp_path / "data")
    runs = {(run.row, run.seed): run for run in plan.runs}
    finish(runs["plain", 0], range(5), 5, 1.0)
    finish(runs["method", 0], range(5), 5, 1.0)
    file = next((runs["method", 0].workdir / "eval").glob("test-*-predictions.csv"))
    file.write_text(file.read_text().replace("video00", "video99"))
    with pytest.raises(ValueError, match="were tested on different videos"):
        write_report(plan)
