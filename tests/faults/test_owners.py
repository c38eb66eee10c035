"""Tests one work directory that is started twice, or read beside a run that trains in it."""

import shutil

import pytest

from tests.faults.tiny import command, ending, settings
from tests.run.test_processes import start as job
from tests.training.test_resume import wait_for_step
from vidjax.progress import ProgressLine
from vidjax.storage.ownership import InUseError, owned
from vidjax.trained import scoring
from vidjax.trained.sources.run import open_run
from vidjax.training import loop


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_second_training_is_refused_and_changes_nothing(tiny_config, tiny_run):
    with owned(tiny_run):
        before = contents(tiny_run)
        with pytest.raises(InUseError, match="run is in use by process .* --workdir") as error:
            loop.train(tiny_config, tiny_run)
        assert contents(tiny_run) == before
    assert "\n" not in str(error.value)


def test_an_evaluation_beside_a_training_is_allowed_and_touches_no_checkpoint(
    tiny_config, tiny_run, tmp_path
):
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run, workdir)
    shutil.rmtree(workdir / "eval")
    # Files that the training has not finished writing.
    shutil.copytree(workdir / "checkpoints" / "3", workdir / "checkpoints/9.orbax-checkpoint-tmp")
    before = contents(workdir / "checkpoints")
    with owned(workdir), ProgressLine(silent=True) as progress:
        trained = open_run(workdir, tiny_config, "best")
        files = scoring.evaluate(tiny_config, trained, workdir, progress)
    assert [file.read_bytes() for file in files] == [
        (tiny_run / "eval" / file.name).read_bytes() for file in files
    ]
    assert contents(workdir / "checkpoints") == before


@pytest.mark.slow
def test_of_two_commands_on_one_directory_the_second_is_refused_and_the_first_ends_well(tmp_path):
    workdir = tmp_path / "run"
    often = {"every__checkpoint": "50 steps", "every__evaluate": "500 steps"}
    flags = settings(workdir, train__duration="2000 steps", **often)
    first = command("train", *flags)
    wait_for_step(workdir, 30, first)
    code, errors, _ = ending(command("train", *flags))
    assert code == 2
    assert errors.splitlines()[-1].startswith(f"error: {workdir} is in use by process {first.pid}")
    assert "Traceback" not in errors
    code, errors, _ = ending(command("evaluate", f"--workdir={workdir}"))
    assert code == 0, errors
    code, errors, _ = ending(first)
    assert code == 0, errors
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines))
    assert sum('"train_epoch"' not in line for line in lines) == 2000 // 3 + 1 + 4


@pytest.mark.slow
def test_a_job_of_two_processes_is_refused_as_one(tmp_path):
    """Process 0 reports the owner, and the other process ends with it."""
    workdir = tmp_path / "run"
    with owned(workdir):
        endings = [ending(process, 120) for process in job(workdir, 2)]
    assert [code for code, *_ in endings] == [2, 2]
    first, second = (errors.splitlines()[-1] for _, errors, _ in endings)
    assert f"error: {workdir} is in use by process" in first
    assert "process 0 could not do its part: owning" in second
    assert [file.name for file in workdir.iterdir()] == [".lock"]
