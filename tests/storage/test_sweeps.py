"""Tests that sweeps, searches and tables in a bucket equal those on a disk."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.commands import run_command
from tests.storage.listing import content
from tests.storage.test_hanging_store import wait_until_written


@pytest.mark.slow
def test_a_sweep_in_a_bucket_equals_one_on_a_disk(local, remote):
    for place in (local, remote):
        # The same command finds that everything is finished.
        for _ in range(2):
            short = "--config.train.duration=2 steps"
            grid, workdir = "optimizer.lr=0.1,0.01", f"--workdir={place.root / 'sweep'}"
            place.ok("sweep", *place.settings, short, workdir, "--grid", grid)
    ours, theirs = remote.root / "sweep", local.root / "sweep"
    own = {".lock", "compiled"}
    there = {path.name for path in theirs.iterdir()} - own
    assert {path.name for path in ours.iterdir()} - own == there
    metrics = list(theirs.rglob("metrics.jsonl"))
    assert len(metrics) == 2
    for each in metrics:
        assert content(ours / each.relative_to(theirs).as_posix()) == content(each)
    logs = list(ours.rglob("*.log"))
    assert logs
    assert all(path.read_text() for path in logs)


@pytest.fixture
def optuna(tmp_path):
    """Returns a folder with a stand-in for Optuna, or an empty path if Optuna is installed."""
    if importlib.util.find_spec("optuna"):
        return ""
    (tmp_path / "optuna.py").write_text("from tests.experiments.optuna_stand_in import *\n")
    return str(tmp_path)


@pytest.mark.slow
def test_a_killed_search_in_a_bucket_ends_like_one_on_a_disk(local, remote, store, optuna):
    def given(place):
        search = ("--optuna=2", "--search", "optimizer.lr=log:0.001:0.1")
        return (*place.settings, f"--workdir={place.root / 'search'}", *search)

    theirs, ours = local.root / "search", remote.root / "search"
    done = run_command("experiments.sweep", *given(local), site=optuna)
    assert done.returncode == 0, done.stderr
    killed = subprocess.Popen(
        [sys.executable, "-m", "experiments.sweep", *given(remote)],
        env={**os.environ, "PYTHONPATH": f"{optuna}:{os.environ.get('PYTHONPATH', '')}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_written(store, "/trial 1,", killed)
    killed.kill()
    killed.communicate()
    (first,) = ours.glob("trial 0,*/seed0.json")
    before = content(first)
    done = run_command("experiments.sweep", *given(remote), site=optuna)
    assert done.returncode == 0, done.stderr
    assert content(first) == before
    starts = {
        each.parts[-2][:7]: json.loads(content(each))["starts"] for each in ours.glob("*/*.json")
    }
    assert starts == {"trial 0": 1, "trial 1": 2}
    metrics = [each.relative_to(theirs).as_posix() for each in theirs.rglob("metrics.jsonl")]
    assert len(metrics) == 2
    for each in metrics:
        assert content(ours / each) == content(theirs / each)


@pytest.mark.slow
def test_a_table_is_reproduced_in_a_bucket(remote, tmp_path):
    output = remote.root / "evidence"
    given = ("--table=rms.2", "--scale=smoke", f"--output={output}", f"--data_dir={tmp_path}")
    remote.ok("reproduce", *given)
    there = {path.name for path in (output / "rms.2-smoke").iterdir()}
    assert {"table.md", "figure.png", "plan.json"} <= there
    rows = (output / "rms.2-smoke" / "table.md").read_text()
    assert "failed" not in rows
