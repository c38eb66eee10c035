"""Tests sweeps whose settings Optuna chooses, or a stand-in if it is not installed."""

import importlib.util
import json
import re
import sys
import textwrap

import pytest

from configs import synthetic
from experiments.runs import scheduler
from experiments.sweep import optuna_search, optuna_study
from experiments.sweep.metric import Metric
from experiments.sweep.optuna_space import read_space
from experiments.sweep.plan import Plan
from experiments.sweep.results import ranked
from tests.experiments import optuna_stand_in
from vidjax.progress import ProgressLine

SPACE = read_space(
    ["optimizer.lr=log:0.001:1", "train.batch_size=int:2:16", "schedule.name=cosine,constant"]
)
METRIC = Metric("top1", "last", "val-1x1")
# Replaces a run's process: its score falls with the distance of the learning rate from 0.03.
RUN = textwrap.dedent(
    """
    import json, math, os, sys
    order = json.loads(sys.stdin.readline())
    rate, seed = order["config"]["optimizer"]["lr"], order["config"]["seed"]
    def end(**record):
        with open(order["record"], "w") as file:
            json.dump(record, file)
    if FAILS and rate > 0.2:
        end(state="failed", error="ValueError: too much")
        sys.exit(1)
    os.makedirs(order["workdir"])
    score = 1 / (1 + abs(math.log(rate / 0.03))) + 0.01 * seed
    with open(order["workdir"] + "/metrics.jsonl", "w") as file:
        file.write(json.dumps({"step": 4, "split": "val-1x1", "top1": score / 2}) + "\\n")
    end(state="finished", step=4, seconds=1.0)
    """
)
OPTUNA = ["stand-in", *(["real"] if importlib.util.find_spec("optuna") else [])]


@pytest.fixture(autouse=True, params=OPTUNA)
def optuna(request, monkeypatch):
    if request.param == "stand-in":
        monkeypatch.setitem(sys.modules, "optuna", optuna_stand_in)
    run_as(monkeypatch)


def run_as(monkeypatch, fails=False):
    program = f"FAILS = {fails}\n{RUN}"
    monkeypatch.setattr(scheduler, "COMMAND", (sys.executable, "-c", program))


def tune(folder, trials, workers=2, seeds=2):
    folder.mkdir(exist_ok=True)
    base = synthetic.get_config()
    with ProgressLine(silent=True) as progress:
        return optuna_search.tune(
            Plan(folder, (), seeds, {}),
            base,
            SPACE,
            trials=trials,
            split="val",
            workers=workers,
            metric=METRIC,
            progress=progress,
        )


def settings(plan):
    return [dict(each.settings) for each in plan.combinations]


def test_trials_are_within_their_ranges_and_run_with_every_seed(tmp_path):
    plan = tune(tmp_path, trials=4)
    assert [each.label for each in plan.combinations] == [f"trial {k}" for k in range(4)]
    assert len(plan.runs) == 8
    assert plan.unfinished == []
    for each in plan.combinations:
        assert 0.001 <= each.config.optimizer.lr <= 1
        assert 2 <= each.config.train.batch_size <= 16
        assert each.config.schedule.name in ("cosine", "constant")
        # The written settings are the used ones.
        assert re.fullmatch(r"[\d.e-]{1,8}", each.settings["optimizer.lr"])
        assert float(each.settings["optimizer.lr"]) == each.config.optimizer.lr
        assert each.folder.startswith(f"{each.label},lr={each.settings['optimizer.lr']}")
    means = [summary.over_seeds.mean for summary in ranked(plan, METRIC)]
    assert means == sorted(means, reverse=True)


def test_an_interrupted_search_resumes(tmp_path, monkeypatch):
    unbroken = tune(tmp_path / "unbroken", trials=4, workers=1)
    ended = []
    whole = optuna_search.carry_out

    def interrupted(runs, *given):
        if len(ended) == 2:
            raise KeyboardInterrupt
        whole(runs, *given)
        ended.append(runs)

    monkeypatch.setattr(optuna_search, "carry_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "broken", trials=4, workers=1)
    monkeypatch.setattr(optuna_search, "carry_out", whole)
    broken = tune(tmp_path / "broken", trials=4, workers=1)
    # The third trial was created before, and is not created again.
    assert settings(broken) == settings(unbroken)
    assert len(ended) == 2
    # More trials can be requested later.
    assert settings(tune(tmp_path / "broken", trials=5, workers=1))[:4] == settings(unbroken)


def test_failed_trials_count_and_have_no_score(tmp_path, monkeypatch):
    run_as(monkeypatch, fails=True)
    plan = tune(tmp_path, trials=8, seeds=1)
    assert len(plan.combinations) == 8
    failed = [each.config.optimizer.lr > 0.2 for each in plan.combinations]
    assert 0 < sum(failed) < 8
    states = {summary.combination.label: summary.results[0] for summary in ranked(plan, METRIC)}
    for each, fails in zip(plan.combinations, failed, strict=True):
        assert states[each.label].state == ("failed" if fails else "finished")
    told = optuna_study.Study(tmp_path, SPACE, maximize=True, seed=0)
    assert [trial.number for trial in told.told] == list(range(8))
    # No trial is repeated.
    records = {run.record: json.loads(run.record.read_text()) for run in plan.runs}
    tune(tmp_path, trials=8, seeds=1)
    assert {file: json.loads(file.read_text()) for file in records} == records


def test_without_optuna_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'vidjax\[optuna\]'"):
        optuna_study.load()
