"""Tests writers beside metrics.jsonl: they resume with the run, and none can stop it."""

import csv
import dataclasses
import json
import sys
import textwrap
import types

import pytest
import tensorboardX

from tests.training.test_changed_duration import KilledError, config, killed_at
from vidjax import plugins
from vidjax.progress import ProgressLine
from vidjax.records import RecordError
from vidjax.run.config import ConfigError
from vidjax.storage.writing import LinkError
from vidjax.training.loop import train
from vidjax.training.metric_writer import read_metrics
from vidjax.training.open_writers import OpenWriters, check_writers
from vidjax.training.writers import csv as tables
from vidjax.training.writers import tensorboard

# Parameters of the real package's `init`, `define_metric`, `log` and `finish` (0.31).
FAKE = """
import json, os, sys
from pathlib import Path
CALLS = Path(__file__).with_name("calls.jsonl")

def told(call, **values):
    with CALLS.open("a") as file:
        file.write(json.dumps({"call": call, **values}, default=str) + "\\n")

class Run:
    def __init__(self, id):
        self.id = id
    def define_metric(self, name, step_metric=None, step_sync=None, hidden=None, summary=None,
                      goal=None, overwrite=None):
        told("define_metric", name=name, step_metric=step_metric)
    def log(self, data, step=None, commit=None):
        if os.environ.get("FAKE_WANDB") == "lost":
            raise ConnectionError("the network\\nis gone")
        told("log", id=self.id, data=data)
    def finish(self, exit_code=None, quiet=None):
        told("finish", id=self.id)

def init(entity=None, project=None, dir=None, id=None, name=None, notes=None, tags=None,
         config=None, config_exclude_keys=None, config_include_keys=None, allow_val_change=None,
         group=None, job_type=None, mode=None, force=None, reinit=None, resume=None,
         resume_from=None, fork_from=None, save_code=None, tensorboard=None,
         sync_tensorboard=None, monitor_gym=None, settings=None):
    if os.environ.get("FAKE_WANDB") == "no account":
        raise RuntimeError("No API key configured.")
    told("init", id=id, resume=resume, project=project, name=name, mode=mode, dir=dir,
         duration=config["train"]["duration"], allow=allow_val_change)
    return Run(id)
"""


@pytest.fixture
def wandb_calls(tmp_path, monkeypatch):
    """Installs a fake package wandb; returns the calls that it received."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "wandb.py").write_text(textwrap.dedent(FAKE))
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.delenv("WANDB_NAME", raising=False)
    yield lambda: [json.loads(line) for line in (site / "calls.jsonl").read_text().splitlines()]
    sys.modules.pop("wandb", None)


def with_writers(*names, **changes):
    return dataclasses.replace(config(**changes), writers=names)


def rows(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def values(lines):
    """Returns lines of metrics.jsonl as rows of strings, without absent or null values."""
    return [{name: str(value) for name, value in x.items() if value is not None} for x in lines]


@pytest.fixture
def notes(monkeypatch):
    told = []
    monkeypatch.setattr(ProgressLine, "note", lambda self, text: told.append(text))
    return told


@pytest.mark.slow
def test_a_killed_run_writes_each_value_once(tmp_path, monkeypatch, wandb_calls):
    workdir = tmp_path / "run"
    configuration = with_writers("csv", "wandb", "tensorboard")
    killed_at(8, monkeypatch, lambda: train(configuration, workdir))
    train(configuration, workdir)
    lines = read_metrics(workdir / "metrics.jsonl")
    found = rows(workdir / "metrics.csv")
    assert [{k: v for k, v in row.items() if v} for row in found] == values(lines)
    aside = rows(workdir / "metrics-interrupted.csv")
    assert [{k: v for k, v in row.items() if v} for row in aside] == values(
        read_metrics(workdir / "metrics-interrupted.jsonl")
    )
    assert list((workdir / "tensorboard").glob("events.*"))

    calls = wandb_calls()
    first, second = (call for call in calls if call["call"] == "init")
    assert first == second
    assert first["resume"] == "allow"
    assert first["mode"] is None
    assert first["name"] == "run"
    assert {"call": "define_metric", "name": "*", "step_metric": "step"} in calls
    sent = {}
    for call in calls:
        if call["call"] == "log":
            assert call["id"] == first["id"]
            for name, value in call["data"].items():
                if not name.startswith(("timing/", "step")):
                    assert sent.setdefault((call["data"]["step"], name), value) == value
    expected = {
        (line["step"], f"{line['split']}/{name}"): value
        for line in lines
        for name, value in line.items()
        if name not in ("step", "split")
    }
    assert {place: value for place, value in sent.items() if place in expected} == expected
    assert calls[-1] == {"call": "finish", "id": first["id"]}


def test_a_lost_connection_is_reported_once_and_the_run_continues(
    tmp_path, monkeypatch, wandb_calls, notes
):
    monkeypatch.setenv("FAKE_WANDB", "lost")
    train(with_writers("wandb"), tmp_path / "lost")
    assert [call["call"] for call in wandb_calls()].count("log") == 0
    told = [note for note in notes if note.startswith("the writer wandb failed")]
    assert told == [
        "the writer wandb failed and is off until the run is started again; the run continues, "
        "and metrics.jsonl has everything (ConnectionError: the network is gone)"
    ]
    train(with_writers(), tmp_path / "without")
    texts = {(tmp_path / name / "metrics.jsonl").read_text() for name in ("lost", "without")}
    assert len(texts) == 1
    # Writers can be added to and removed from an existing run without changing it.
    assert train(with_writers("csv"), tmp_path / "without").step == 10


def test_a_writer_that_cannot_be_opened_is_reported_and_skipped(tmp_path, monkeypatch, wandb_calls):
    monkeypatch.setenv("FAKE_WANDB", "no account")
    told = []
    writers = OpenWriters(with_writers("wandb", "csv"), tmp_path, 0, told.append)
    writers.write(1, "train", {"loss": 0.5})
    writers.close()
    assert len(told) == 1
    assert "RuntimeError: No API key configured." in told[0]
    assert rows(tmp_path / "metrics.csv") == [{"step": "1", "split": "train", "loss": "0.5"}]


def test_fixable_problems_in_the_runs_folder_are_errors(tmp_path, wandb_calls):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tensorboard").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "wandb.json").write_text('{"id": "../x"}')
    (tmp_path / "metrics.csv").write_text("step,split\nmany,train\n")
    for name, error in (("tensorboard", LinkError), ("wandb", RecordError), ("csv", ConfigError)):
        with pytest.raises(error):
            OpenWriters(with_writers(name), tmp_path, 0, print)
    (tmp_path / "wandb.json").unlink()
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "metrics.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "wandb").rmdir()
    (tmp_path / "wandb").symlink_to(tmp_path / "elsewhere")
    for name in ("wandb", "csv"):
        with pytest.raises(LinkError):
            OpenWriters(with_writers(name), tmp_path, 0, print)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_unknown_writer_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"writers = \('csvs',\): writer 'csvs' .* mean 'csv'"):
        check_writers(("csvs",))


def test_a_writer_without_its_package_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError) as error:
        train(with_writers("wandb"), tmp_path / "run")
    assert (
        str(error.value) == "the writer wandb needs the package wandb: pip install 'vidjax[wandb]'"
    )
    assert not (tmp_path / "run").exists()


def test_third_party_writers_are_selected_by_name(monkeypatch, tmp_path):
    class Listed:
        def __init__(self):
            self.calls = []

        def write(self, step, split, numbers):
            self.calls.append((step, split, numbers))

        def flush(self):
            self.calls.append("flush")

        def close(self):
            raise KilledError("closing is beyond it")

    listed, told = Listed(), []
    monkeypatch.setattr(plugins, "_registered", {})
    module = types.SimpleNamespace(open=lambda workdir, step, config: listed)
    plugins.register("vidjax.training.writers", "listed", module)
    writers = OpenWriters(with_writers("listed"), tmp_path, 3, told.append)
    writers.write(4, "timing/train", {"seconds": 1.0})
    writers.flush()
    writers.close()
    writers.close()
    assert listed.calls == [(4, "timing/train", {"seconds": 1.0}), "flush"]
    assert len(told) == 1


def test_new_columns_are_added_and_a_truncated_row_is_removed(tmp_path):
    writer = tables.open(tmp_path, 0, None)
    writer.write(1, "train", {"loss": float("nan"), "=1+1": 2.5})
    writer.write(2, "train", {"loss": -1.5, "=1+1": 3})
    writer.write(2, "timing/train", {"seconds": 9.0})
    writer.write(2, "test", {"top1": 0.25})
    file = tmp_path / "metrics.csv"
    text = "step,split,loss,'=1+1,top1\n1,train,,2.5,\n2,train,-1.5,3,\n2,test,,,0.25\n"
    assert file.read_text() == text
    file.write_text(text + "3,train,0.12")
    tables.open(tmp_path, 2, None).write(3, "train", {"loss": 0.125})
    assert file.read_text() == text + "3,train,0.125,,\n"
    tables.open(tmp_path, 1, None)
    assert len(rows(file)) == 1
    aside = rows(tmp_path / "metrics-interrupted.csv")
    assert [(row["step"], row["split"]) for row in aside] == [
        ("2", "train"), ("2", "test"), ("3", "train"),
    ]  # fmt: skip
    tables.open(tmp_path, 0, None)
    assert len(rows(tmp_path / "metrics-interrupted.csv")) == 4


def test_errors_of_tensorboards_thread_are_raised_by_flush_and_close(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(tensorboardX.SummaryWriter, "add_scalar", fail)
    events = tensorboard.open(tmp_path, 0, None)
    events.write(1, "train", {"loss": 1.0})
    with pytest.raises(OSError, match="the disk is full"):
        events.flush()
    events.flush()
    events.write(2, "train", {"loss": 1.0})
    with pytest.raises(OSError, match="the disk is full"):
        events.close()
