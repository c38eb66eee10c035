"""Tests that reading a run changes nothing in it except for the requested output."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run_command
from tests.faults.tiny import command, ending, settings
from tests.training.test_resume import wait_for_step
from vidjax.data.encode import write_mp4
from vidjax.progress import ProgressLine
from vidjax.run import restoring
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.run.workdir import read_classes, read_config
from vidjax.storage.writing import LinkError
from vidjax.trained import scoring
from vidjax.trained.sources.run import open_run
from vidjax.training import loop

# Waits between the last byte of a checkpoint and its final name.
SLOW = """
import time
from vidjax.run import checksums
seal = checksums.seal
checksums.seal = lambda folder: (time.sleep(0.7), seal(folder))
"""


def everything(folder):
    """Returns the contents, times and types of all files in a folder."""
    return {
        path.relative_to(folder): (
            path.lstat().st_mtime_ns,
            path.lstat().st_ino,
            path.read_bytes() if path.is_file() else None,
        )
        for path in [folder, *folder.rglob("*")]
    }


def changed(before, folder):
    """Returns the names of new, missing or changed files, without folders that only got files."""
    after = everything(folder)
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return sorted(str(path) for path in paths if not (folder / path).is_dir())


@pytest.fixture
def run(tiny_run, tmp_path):
    """Copies a run, and adds unfinished files of another process."""
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run, workdir)
    shutil.rmtree(workdir / "eval")
    half = workdir / "checkpoints" / "9.orbax-checkpoint-tmp"
    shutil.copytree(workdir / "checkpoints" / "3", half)
    (workdir / "config.json.0123456789abcdef.part").write_text("{")
    return workdir


@pytest.fixture
def video(tmp_path):
    file = tmp_path / "my.mp4"
    write_mp4(file, np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8), 10)
    return file


@pytest.mark.parametrize(
    ("name", "flags", "written"),
    [
        ("predict", ["--video={video}"], []),
        ("predict", ["--video={video}", "--explain", "--output={out}"], []),
        ("predict", ["--video={video}", "--explain"], ["explain/my/"]),
        ("evaluate", [], ["eval/test-1x1-step6"]),
        ("export", ["--format=stablehlo", "--output={out}"], []),
        ("explain", ["--video={video}", "--method=pyramid", "--depth=1", "--output={out}"], []),
    ],
    ids=["predict", "predict, elsewhere", "predict, explained", "evaluate", "export", "explain"],
)
@pytest.mark.slow
def test_a_command_changes_only_its_own_output(run, video, tmp_path, name, flags, written):
    before = everything(run)
    flags = [flag.format(video=video, out=tmp_path / "out") for flag in flags]
    code, errors, _ = ending(command(name, f"--workdir={run}", *flags))
    assert code == 0, errors
    found = changed(before, run)
    assert all(any(path.startswith(start) for start in written) for path in found)
    assert bool(found) == bool(written)


def test_opening_and_predicting_change_nothing(run, video):
    before = everything(run)
    assert open_run(run).predict(video)
    assert everything(run) == before


def test_a_run_opened_as_weights_predicts_the_same(run, video):
    done = [
        run_command("experiments.predict", f"--{flag}={run}", f"--video={video}")
        for flag in ("workdir", "weights")
    ]
    assert [each.returncode for each in done] == [0, 0]
    assert done[0].stdout == done[1].stdout


def test_a_read_only_run_can_be_read(run, video):
    """The run belongs to another user, or is on a read-only disk."""
    expected = open_run(run).predict(video)
    for path in [run, *run.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert open_run(run).predict(video) == expected
    finally:
        for path in [run, *run.rglob("*")]:
            path.chmod(0o755)


@pytest.mark.slow
def test_a_run_that_saves_slowly_is_opened_a_hundred_times_and_saves_everything(tmp_path):
    workdir = tmp_path / "run"
    every = {"every__checkpoint": "2 steps", "every__keep": 100, "every__evaluate": "100 steps"}
    flags = settings(workdir, train__duration="150 steps", **every)
    training = command("train", *flags, fault=SLOW)
    wait_for_step(workdir, 6, training)
    config, classes = from_mapping(read_config(workdir)), read_classes(workdir)
    network = Network.of(config, classes)
    opened, unfinished = [], 0
    while len(opened) < 100 and training.poll() is None:
        unfinished += any((workdir / "checkpoints").glob("*.orbax-checkpoint-tmp*"))
        step, state = restoring.restore(network, workdir, "last")
        assert int(state.step) == step
        opened.append(step)
    code, errors, _ = ending(training)
    assert code == 0, errors
    assert len(opened) == 100
    # The run was saving most of the time.
    assert unfinished > 50
    assert opened == sorted(opened)
    steps = sorted(int(each.name) for each in (workdir / "checkpoints").iterdir() if each.is_dir())
    assert steps == list(range(2, 151, 2))


# Links that somebody else has put into a run, in place of files that vidjax writes.


@pytest.fixture
def victim(tmp_path):
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    return folder


def untouched(victim):
    return [file.name for file in victim.iterdir()] == ["mine"] and (
        victim / "mine"
    ).read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "test-1x1-step6.json",
        "test-1x1-step6.json.tmp",
        "test-1x1-step6-predictions.csv",
        "test-1x1-step6-predictions.csv.tmp",
        "test-1x1-step6-confusion.png",
        "test-1x1-step6-confusions.csv",
    ],
)
def test_a_report_is_not_written_through_a_link(run, victim, name):
    config = from_mapping(read_config(run))
    (run / "eval").mkdir()
    (run / "eval" / name).symlink_to(victim / "mine")
    with ProgressLine(silent=True) as progress:
        if name.endswith(".tmp"):
            scoring.evaluate(config, open_run(run), run, progress)
        else:
            with pytest.raises(LinkError, match="is a symbolic link to"):
                scoring.evaluate(config, open_run(run), run, progress)
    assert untouched(victim)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["eval", "explain"])
def test_a_folder_of_a_run_that_is_a_link_is_refused(run, victim, video, folder):
    (run / folder).symlink_to(victim)
    name, *flags = (
        ("evaluate",) if folder == "eval" else ("predict", f"--video={video}", "--explain")
    )
    code, errors, _ = ending(command(name, f"--workdir={run}", *flags))
    assert code == 2
    assert errors.splitlines()[-1].startswith(
        f"error: {run / folder} is a symbolic link to {victim}"
    )
    assert untouched(victim)


@pytest.mark.parametrize(
    "link",
    [
        "checkpoints",
        "checkpoints/3",
        "checkpoints/9.orbax-checkpoint-tmp",
        "metrics.jsonl",
        "timing.jsonl",
        "tensorboard",
        "config.json",
        "metrics-interrupted.jsonl",
        ".lock",
    ],
)
def test_a_run_that_contains_links_is_not_resumed(tiny_config, tiny_run, tmp_path, link):
    workdir, victim = tmp_path / "run", tmp_path / "victim"
    shutil.copytree(tiny_run, workdir)
    # Leaves some steps to do.
    shutil.rmtree(workdir / "checkpoints" / "6")
    (workdir / "checkpoints" / "best.json").unlink()
    place = workdir / link
    if place.exists():
        shutil.move(place, victim)
    else:
        victim.write_text("mine")
    place.symlink_to(victim)
    before = everything(victim) if victim.is_dir() else victim.read_bytes()
    with pytest.raises(LinkError, match=f"{link} is a symbolic link to"):
        loop.train(tiny_config, workdir)
    assert (everything(victim) if victim.is_dir() else victim.read_bytes()) == before


@pytest.mark.slow
def test_a_video_named_by_dots_is_explained_inside_the_run(run, video):
    file = video.with_name("...mp4")
    shutil.move(video, file)
    before = everything(run)
    code, errors, _ = ending(command("predict", f"--workdir={run}", f"--video={file}", "--explain"))
    assert code == 0, errors
    found = changed(before, run)
    assert found
    assert {Path(path).parts[:2] for path in found} == {("explain", "%2E%2E")}


@pytest.mark.slow
def test_split_names_cannot_lead_outside_of_the_run(run):
    """A report's name contains the split's name, which somebody else's configuration may set."""
    config = from_mapping(read_config(run))
    assert config.eval.split == "test"
    before = everything(run.parent)
    flag = "--config.eval.split=../../../elsewhere"
    code, errors, _ = ending(command("evaluate", f"--workdir={run}", flag))
    assert code == 2 or not changed(before, run.parent), errors
    assert not list(run.parent.glob("elsewhere*"))
    assert not list(Path(os.sep).glob("elsewhere*"))
