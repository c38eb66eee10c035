"""Tests that runs with a changed duration continue with the schedule of the new length."""

import json
import shutil

import numpy as np
import pytest

from configs import synthetic
from tests.training.test_resume import arrays
from vidjax.progress import ProgressLine
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.workdir import earlier_configs, read_config
from vidjax.training import changed_duration, loop, meter
from vidjax.training.loop import train
from vidjax.training.metric_writer import read_metrics

FIRST, LONGER = 10, 20


def config(duration=f"{FIRST} steps", **changes):
    raw = synthetic.get_config()
    raw.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    raw.data.options = {"num_classes": 3, "videos": 20, "frames": 6, "size": 20}
    raw.data.threads = 1
    raw.clip.update({"frames": 2, "stride": 1, "size": 16})
    raw.eval.update({"size": 16, "batch_size": 8})
    raw.optimizer.lr = 0.02
    raw.train.update({"duration": duration, "batch_size": 8, "ema": 0.9})
    raw.schedule.update({"name": "cosine", "warmup": "10%"})
    raw.every.update({"log": "2 steps", "checkpoint": "5 steps", "evaluate": "10 steps"})
    for path, value in changes.items():
        group, name = path.split("__")
        raw[group][name] = value
    return from_mapping(raw)


class KilledError(Exception):
    pass


def killed_at(step, monkeypatch, run):
    """Runs until a step and is then killed."""
    add = meter.Meter.add

    def fatal(self, number, metrics):
        if number > step:
            raise KilledError
        add(self, number, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(meter.Meter, "add", fatal)
        with pytest.raises(KilledError):
            run()


def metrics(workdir):
    return (workdir / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished") / "run"
    assert train(config(), workdir).step == FIRST
    return workdir


@pytest.fixture(scope="module")
def notes():
    return []


@pytest.fixture(scope="module")
def lengthened(finished, notes, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("longer") / "run"
    shutil.copytree(finished, workdir)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressLine, "note", lambda self, text: notes.append(text))
        assert train(config(f"{LONGER} steps"), workdir).step == LONGER
    return workdir


def cosine(step, total):
    """Returns the cosine learning rate of a step, counted from 0."""
    warmup = total // 10
    if step < warmup:
        return 0.02 * step / warmup
    return 0.02 * (1 + np.cos(np.pi * (step - warmup) / (total - warmup))) / 2


def test_the_run_continues_with_the_schedule_of_the_new_length(finished, lengthened):
    assert metrics(lengthened).startswith(metrics(finished))
    for line in read_metrics(lengthened / "metrics.jsonl"):
        if line["split"] == "train":
            total = FIRST if line["step"] <= FIRST else LONGER
            np.testing.assert_allclose(line["lr"], cosine(line["step"] - 1, total), rtol=1e-4)
    lines = read_metrics(lengthened / "metrics.jsonl")
    tested = [line for line in lines if line["split"].startswith("test")]
    assert [line["step"] for line in tested] == [FIRST, LONGER]


def test_a_note_states_the_step_and_the_schedule(lengthened, notes):
    assert lengthened.is_dir()
    told = next(note for note in notes if note.startswith("train.duration changed"))
    was, now = cosine(FIRST, FIRST), cosine(FIRST, LONGER)
    assert told == (
        "train.duration changed from '10 steps' to '20 steps': the run continues after step 10 and "
        "ends at step 20 instead of 10. The schedule 'cosine' follows: the learning rate at step "
        f"10 is now {now:.4g} instead of {was:.4g}"
    )


@pytest.mark.slow
def test_at_a_constant_rate_it_equals_a_run_of_that_length(tmp_path):
    """So the optimiser's state, the data order and the random numbers all continue."""
    constant = {"schedule__name": "constant", "schedule__warmup": "0%"}
    train(config(**constant), tmp_path / "longer")
    for workdir in (tmp_path / "longer", tmp_path / "at_once"):
        train(config(f"{LONGER} steps", **constant), workdir)
    assert metrics(tmp_path / "longer") == metrics(tmp_path / "at_once")
    ours, theirs = arrays(tmp_path / "longer"), arrays(tmp_path / "at_once")
    assert ours[0] == theirs[0] == LONGER
    assert all(np.array_equal(ours[1][name], theirs[1][name]) for name in theirs[1])


def test_the_previous_configuration_is_kept(finished, lengthened):
    assert read_config(lengthened)["train"]["duration"] == "20 steps"
    kept = lengthened / "config-until-step10.json"
    assert kept.read_text() == (finished / "config.json").read_text()
    assert earlier_configs(lengthened) == [config()]
    assert earlier_configs(finished) == []


def test_a_killed_longer_run_ends_with_the_same_arrays_and_lines(
    finished, lengthened, tmp_path, monkeypatch
):
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    more = config(f"{LONGER} steps")
    killed_at(11, monkeypatch, lambda: train(more, workdir))
    killed_at(17, monkeypatch, lambda: train(more, workdir))
    assert train(more, workdir).step == LONGER
    assert metrics(workdir) == metrics(lengthened)
    ours, theirs = arrays(workdir), arrays(lengthened)
    assert ours[0] == theirs[0] == LONGER
    assert ours[1].keys() == theirs[1].keys()
    assert all(np.array_equal(ours[1][name], theirs[1][name]) for name in ours[1])
    assert len(list(workdir.glob("config-until-*"))) == 1


@pytest.mark.slow
def test_the_final_evaluation_of_the_old_length_is_made_up(finished, lengthened, tmp_path):
    """The run ended between its last checkpoint and the evaluation, and is then extended."""
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    lines = metrics(finished).splitlines(keepends=True)
    assert '"train"' not in lines[-1]
    (workdir / "metrics.jsonl").write_text("".join(lines[:-1]))
    seldom = config("12 steps", every__evaluate="12 steps")
    train(seldom, workdir)
    assert metrics(workdir).startswith(metrics(finished))


@pytest.mark.slow
def test_an_unfinished_run_continues_from_its_checkpoint(tmp_path, monkeypatch):
    workdir = tmp_path / "run"
    killed_at(8, monkeypatch, lambda: train(config(), workdir))
    assert train(config("11 steps", eval__size=18), workdir).step == 11
    steps = [x["step"] for x in read_metrics(workdir / "metrics.jsonl") if x["split"] == "train"]
    assert steps == [2, 4, 6, 8, 10, 11]
    assert (workdir / "config-until-step5.json").is_file()
    set_aside = read_metrics(workdir / "metrics-interrupted.jsonl")
    assert [line["step"] for line in set_aside] == [6, 8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration": "20 steps", "eval__crops": 3}, "eval.crops = 3, but the crops coincide"),
        ({"duration": "9 steps"}, "'9 steps' is 9 steps, but the run in .* has already done 10"),
        ({"every__evaluate": "5 steps"}, "another configuration: every.evaluate is '10 steps'"),
        ({"duration": "20 steps", "optimizer__lr": 0.1}, "another configuration: optimizer.lr"),
        ({"duration": "20 steps", "schedule__name": "constant"}, "schedule.name is 'cosine' there"),
    ],
)
def test_other_changes_and_a_shorter_duration_are_refused(finished, changes, message):
    before = {file: file.read_bytes() for file in finished.glob("*.json*")}
    with pytest.raises(ValueError, match=message):
        train(config(**changes), finished)
    assert {file: file.read_bytes() for file in finished.glob("*.json*")} == before


def test_of_many_differences_three_are_named(finished):
    changes = {
        "optimizer__lr": 0.1,
        "clip__stride": 2,
        "train__ema": 0.5,
        "schedule__name": "constant",
    }
    with pytest.raises(ValueError, match="holds a run with another configuration") as error:
        train(config("10 steps", **changes), finished)
    told = str(error.value)
    assert told.count(" there, ") == 3
    assert " here and 1 more. Name another --workdir" in told


def test_changed_multigrid_batches_are_refused(tmp_path, monkeypatch):
    stages = {
        "multigrid__cycle": "long",
        "multigrid__over": "stage",
        "schedule__name": "step",
        "schedule__boundaries": ("50%",),
        "clip__frames": 8,
        "clip__size": 32,
    }
    workdir = tmp_path / "run"

    monkeypatch.setattr(changed_duration, "_last_step", lambda directory: 5)
    opened = [
        loop.Experiment.open(config(duration, **stages), lambda *_: None, training=True)
        for duration in ("8 steps", "16 steps")
    ]
    plans = [
        loop.Plan.of(each.config, 20, loop.multigrid.batch_unit(each.network)) for each in opened
    ]
    loop.claim(workdir, opened[0].config, opened[0].network.classes)
    (workdir / "metrics.jsonl").write_text(json.dumps({"step": 1, "split": "train"}) + "\n")
    with pytest.raises(ConfigError, match="changes the multigrid shapes of the 5 steps"):
        changed_duration.continuation(workdir, opened[1].network, plans[1], 20)
