"""Tests that processes that were started differently end together before anything is computed."""

import shutil

import pytest

from tests.commands import ROOT
from tests.run.jobs import ends, job, lines, said
from tests.training.test_resume import arrays
from tests.videos import numbered_frames, write_video

LONGER = {"train__duration": "8 steps"}


def told_by_all(processes):
    """Returns the single error line with which all processes have ended."""
    assert ends(processes) == [2] * len(processes), said
    told = [lines(process) for process in processes]
    assert told == [told[0]] * len(processes)
    assert len(told[0]) == 1
    assert "Traceback" not in said[processes[0].pid]
    return told[0][0]


def test_two_learning_rates_end_both_processes_with_a_line_that_names_them(tmp_path):
    workdir = tmp_path / "run"
    with job([], ["--config.optimizer.lr=0.5"], workdir=workdir) as processes:
        line = told_by_all(processes)
    assert "optimizer.lr is 0.02 in process 0, 0.5 in process 1" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("--config.seed=7", "seed is 0 in process 0, 7 in process 1"),
        ("--config.train.duration=9 steps", "train.duration is '40 steps' in process 0, '9 steps'"),
        ("--config.data.data_dir=elsewhere", "data.data_dir is 'data' in process 0, 'elsewhere'"),
    ],
)
def test_another_setting_ends_both(tmp_path, other, told):
    with job([], [other], workdir=tmp_path / "run") as processes:
        assert told in told_by_all(processes)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_differing_one_of_three_processes_is_named(tmp_path):
    with job([], [], ["--config.seed=7"], workdir=tmp_path / "run") as processes:
        assert "seed is 0 in processes 0 and 1, 7 in process 2" in told_by_all(processes)


@pytest.mark.slow
def test_numbers_of_threads_may_differ(tmp_path):
    with job(
        [], ["--config.data.threads=2"], workdir=tmp_path / "run", changes=LONGER
    ) as processes:
        assert ends(processes) == [0, 0], said


@pytest.mark.slow
def test_different_code_ends_both(tmp_path):
    code = tmp_path / "code"
    for name in ("vidjax", "configs", "experiments"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, code / name, symlinks=True, ignore=ignored)
    with (code / "vidjax/training/loss.py").open("a") as file:
        file.write("# Another line.\n")
    folders = (ROOT, code)
    with job([], [], workdir=tmp_path / "run", folders=folders, codes=folders) as processes:
        assert "the code of vidjax is" in told_by_all(processes)


@pytest.mark.slow
def test_two_work_directories_end_both(tmp_path):
    (tmp_path / "there").mkdir()
    own = [f"--workdir={tmp_path / name / 'run'}" for name in ("there", "elsewhere")]
    with job(own[:1], own[1:]) as processes:
        line = told_by_all(processes)
    assert "--workdir is" in line
    assert str(tmp_path / "there/run") in line
    assert str(tmp_path / "elsewhere/run") in line
    # The temporary file of the check is removed.
    assert [file.name for file in tmp_path.rglob("*")] == ["there"]


@pytest.mark.slow
def test_a_link_to_a_work_directory_is_the_same_directory(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    own = [f"--workdir={tmp_path / name / 'run'}" for name in ("real", "link")]
    for steps in (8, 12):
        changes = {"train__duration": f"{steps} steps", "every__checkpoint": "4 steps"}
        with job(own[:1], own[1:], changes=changes) as processes:
            assert ends(processes) == [0, 0], said
        assert arrays(tmp_path / "real/run")[0] == steps
    assert not list((tmp_path / "real/run").glob(".meeting*"))


@pytest.mark.slow
def test_different_numbers_of_devices_end_both_with_both_numbers(tmp_path):
    with job([], [], workdir=tmp_path / "run", devices=(2, 6)) as processes:
        line = told_by_all(processes)
    assert "devices is '2 x cpu' in process 0, '6 x cpu' in process 1" in line


@pytest.mark.slow
def test_another_setting_ends_both_when_resuming_too(tmp_path):
    workdir = tmp_path / "run"
    with job([], [], workdir=workdir, changes=LONGER) as processes:
        assert ends(processes) == [0, 0], said
    before = arrays(workdir)[0], sorted(workdir.iterdir())
    with job([], ["--config.optimizer.lr=0.5"], workdir=workdir, changes=LONGER) as processes:
        assert "optimizer.lr is 0.02 in process 0, 0.5" in told_by_all(processes)
    assert (arrays(workdir)[0], sorted(workdir.iterdir())) == before


@pytest.mark.slow
def test_different_videos_under_one_name_end_both(tmp_path):
    folders = [tmp_path / name for name in ("here", "there")]
    for number, folder in enumerate(folders):
        for split, videos in (("train", 2 + number), ("test", 1)):
            for name in (f"{label}/{video}.mp4" for label in "ab" for video in range(videos)):
                write_video(folder / "videos" / split / name, numbered_frames(6))
    changes = {
        "data__name": "video_folder",
        "data__options": "{}",
        "data__manifest": "videos",
        "data__data_dir": "data",
        "eval__clips": 1,
        "train__batch_size": 2,
        "eval__batch_size": 2,
    }
    with job([], [], workdir=tmp_path / "run", changes=changes, folders=folders) as processes:
        line = told_by_all(processes)
    assert "videos of 'train' is 4 in process 0, 6 in process 1" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_evaluations_of_two_runs_are_not_one_job(tmp_path):
    runs = [tmp_path / name for name in "ab"]
    for number, workdir in enumerate(runs):
        with job([], workdir=workdir, changes=LONGER | {"seed": number}) as processes:
            assert ends(processes) == [0], said
    command = ("-m", "experiments.evaluate")
    own = [[f"--workdir={workdir}"] for workdir in runs]
    with job(*own, command=command, configured=False) as processes:
        assert "seed is 0 in process 0, 1 in process 1" in told_by_all(processes)
