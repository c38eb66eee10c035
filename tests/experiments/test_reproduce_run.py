"""Tests runs in separate processes: failures, repeats and interruptions."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from configs import synthetic
from experiments.reproduce import code_digest, run, worker
from experiments.reproduce.plan import Plan
from experiments.reproduce.report import write_report
from experiments.reproduce.table import Row, Setup, Table
from tests.commands import run_command

ROOT = Path(__file__).parents[2]
# Replaces a run's process: its behaviour depends on the name of its row.
STAND_IN = textwrap.dedent(
    """
    import json, os, sys
    order = json.loads(sys.stdin.readline())
    row = order["workdir"].split("/")[-2]
    def end(state, **more):
        with open(order["record"], "w") as file:
            json.dump({"state": state, **more}, file)
    print("begun", row)
    if row == "fails":
        end("failed", error="ValueError: no")
        sys.exit(1)
    if row == "dies":
        end("started", starts=1)
        os.kill(os.getpid(), 9)
    if row == "waits":
        sys.stdin.read()
        end("stopped")
        sys.exit(75)
    end("finished", step=4, cores=sorted(os.sched_getaffinity(0)))
    """
)
linux_only = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no pinning")


def configure(row):
    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.data.options = {"num_classes": 3, "videos": 20, "frames": 6, "size": 20}
    config.data.threads = 1
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8})
    config.train.update({"duration": "4 steps", "batch_size": 8})
    config.every.update({"log": "2 steps", "checkpoint": "50%", "evaluate": "100%"})
    config.optimizer.lr = 0.02
    if row == "misspelt":
        config.model.options.widht = 4
    return config


def plan_of(root, rows, seeds=(0,)):
    rows = tuple(Row(name, name) for name in rows)
    setups = {"smoke": {"synthetic": Setup(configure, seeds)}}
    table = Table("t.1", "a table", "no paper", rows, rows[0].name, setups)
    return Plan.of(table, "smoke", ["synthetic"], root, root / "data")


def states(plan):
    return {each.row: worker.read_record(each.record).get("state") for each in plan.runs}


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(run, "COMMAND", (sys.executable, "-c", STAND_IN))


def test_a_run_that_fails_or_dies_does_not_stop_the_others(tmp_path, stand_in):
    plan = plan_of(tmp_path, ["works", "fails", "dies", "too"])
    shown = []
    run.execute(plan.runs, 2, tmp_path / "compiled", shown.append)
    expected = {"works": "finished", "fails": "failed", "dies": "failed", "too": "finished"}
    assert states(plan) == expected
    record = worker.read_record(plan.runs[2].record)
    assert record["error"] == f"its process ended with code -9; see {plan.runs[2].log}"
    assert plan.runs[0].log.read_text() == "begun works\n"
    assert shown[0].startswith("runs 0/4")


def test_finished_runs_are_not_repeated_and_failed_ones_are(tmp_path, stand_in):
    plan = plan_of(tmp_path, ["works", "fails"])
    for _ in range(2):
        run.execute(plan.runs, 1, tmp_path / "compiled", lambda text: None)
    assert plan.runs[0].log.read_text() == "begun works\n"
    assert plan.runs[1].log.read_text() == "begun fails\n" * 2


@linux_only
def test_workers_share_the_cores(tmp_path, stand_in):
    plan = plan_of(tmp_path, ["one", "two", "three", "four"])
    available = os.sched_getaffinity(0)
    run.execute(plan.runs, len(available), tmp_path / "compiled", lambda text: None)
    for each in plan.runs:
        assert len(worker.read_record(each.record)["cores"]) == 1
    assert os.sched_getaffinity(0) == available


def test_a_reproduction_that_is_interrupted_lets_its_runs_save(tmp_path, stand_in):
    plan = plan_of(tmp_path, ["waits", "later"])
    begun = plan.runs[0].log

    def interrupt(text):
        if begun.is_file() and begun.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.execute(plan.runs, 1, tmp_path / "compiled", interrupt)
    assert states(plan) == {"waits": "stopped", "later": None}


def test_a_row_is_trained_tested_and_reported_beside_one_that_fails(tmp_path, capsys):
    plan = plan_of(tmp_path, ["plain", "misspelt"])
    plan.write_down()
    for each in plan.runs:
        worker.carry_out(run.make_order(each, code_digest.digest()))
    assert states(plan) == {"plain": "finished", "misspelt": "failed"}
    text = write_report(plan).read_text()
    assert "20 training and 20 test videos" in text
    assert "`synthetic/misspelt/seed0` failed: ValueError: r3d_18 has no option 'widht'" in text
    assert "Traceback" in capsys.readouterr().err
    workdir = plan.runs[0].workdir
    scores = [json.loads(file.read_text()) for file in sorted((workdir / "eval").glob("*.json"))]
    assert [score["split"] for score in scores] == ["test", "train"]
    rows = (plan.folder / "table.csv").read_text().splitlines()
    assert f",{scores[0]['top1']:.6g},," in rows[1]


def test_a_run_refuses_edited_code(tmp_path):
    plan = plan_of(tmp_path, ["plain"])
    assert worker.carry_out(run.make_order(plan.runs[0], "other")) == "failed"
    record = worker.read_record(plan.runs[0].record)
    assert "vidjax was edited since the reproduction started" in record["error"]


def test_the_time_of_interrupted_starts_is_added_up(tmp_path, monkeypatch):
    plan = plan_of(tmp_path, ["plain"])
    order = run.make_order(plan.runs[0], code_digest.digest())
    ends = iter(
        [{"state": "stopped", "seconds": 5.0}, {"state": "finished", "seconds": 7.0, "step": 4}]
    )
    monkeypatch.setattr(worker, "_attempt", lambda config, workdir: next(ends))
    assert [worker.carry_out(order), worker.carry_out(order)] == ["stopped", "finished"]
    record = worker.read_record(plan.runs[0].record)
    assert (record["seconds"], record["starts"]) == (12.0, 2)


def call(*arguments):
    command = [sys.executable, "-m", "experiments.reproduce", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table=rms.9"], "--table=rms.9 is unknown"),
        (["--table=rms.2", "--datasets=ucf"], "has no data set 'ucf'; it has marionette, jhmdb"),
        (["--table=rms.2", "--datasets=jhmdb"], "manifest.csv is absent; set VIDJAX_SHARED"),
        (["--table=rms.2", "--scale=paper"], "videos/mini_kinetics200 is absent"),
        ([], "--table is missing"),
    ],
)
def test_invalid_values_are_refused_in_one_line(tmp_path, arguments, message):
    if (ROOT / "data/mini_kinetics.csv").exists():
        pytest.skip("this machine has the videos")
    arguments = (*arguments, f"--output={tmp_path}")
    nowhere = {"VIDJAX_SHARED": str(tmp_path / "nowhere")}
    done = run_command("experiments.reproduce", *arguments, **nowhere)
    assert done.returncode in (1, 2), done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_smoke_table_is_stopped_and_resumed(tmp_path):
    arguments = ("--table=cr.6.4", "--scale=smoke", f"--output={tmp_path}")
    arguments += (f"--data_dir={tmp_path / 'data'}", "--workers=2")
    process = call(*arguments)
    folder = tmp_path / "cr.6.4-smoke"
    deadline = time.monotonic() + 300
    while not list(folder.glob("*/*/seed0.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == 75
    assert not (folder / "table.md").exists()
    process = call(*arguments)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-2000:]
    text = (folder / "table.md").read_text()
    assert text.count("| 1 of 1 |") == 3
    assert len((folder / "runs.csv").read_text().splitlines()) == 4
