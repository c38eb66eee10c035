"""Tests that opening somebody else's run writes nothing to the folder of its data."""

import dataclasses
import shutil

import pytest

from tests.faults.test_opening import everything
from tests.faults.tiny import command, ending
from tests.videos import numbered_frames, write_video
from vidjax import records
from vidjax.data.catalog import UnpreparedError
from vidjax.progress import ProgressLine
from vidjax.trained import scoring
from vidjax.trained.sources.run import open_run
from vidjax.training import loop


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Writes a list of videos of three classes, for training and for testing."""
    root = tmp_path_factory.mktemp("videos")
    rows = [
        (f"{split}{k}.mp4", f"class{k % 3}", split) for split in ("train", "test") for k in range(9)
    ]
    for name, *_ in rows:
        write_video(root / name, numbered_frames(6))
    manifest = root / "videos.csv"
    manifest.write_text("\n".join(["path,label,split", *map(",".join, rows)]) + "\n")
    return manifest


@pytest.fixture(scope="module")
def foreign(tiny_config, videos, tmp_path_factory):
    """Makes a run on video files whose prepared data set is missing."""
    place = tmp_path_factory.mktemp("foreign")
    data = dataclasses.replace(
        tiny_config.data,
        name="video_folder",
        manifest=str(videos),
        data_dir=str(place / "data"),
        options={},
        short_side=20,
        workers=1,
    )
    config = dataclasses.replace(tiny_config, data=data)
    loop.train(config, place / "run")
    shutil.rmtree(place / "data")
    return config, place


def test_evaluating_prepares_nothing_in_the_folder_of_a_run(foreign):
    config, place = foreign
    before, run = everything(place), open_run(place / "run", config)
    with (
        ProgressLine(silent=True) as progress,
        pytest.raises(UnpreparedError, match="no prepared data set in .*data.*: give a flag"),
    ):
        scoring.evaluate(config, run, place / "run", progress, unprepared="give a flag")
    assert everything(place) == before


@pytest.mark.slow
def test_the_command_names_the_flag_that_allows_preparing(foreign, tmp_path):
    config, place = foreign
    before, run = everything(place), f"--workdir={place / 'run'}"
    code, errors, _ = ending(command("evaluate", run))
    assert code == 2
    flag = f"--config.data.data_dir={config.data.data_dir}"
    last = errors.splitlines()[-1]
    assert last.startswith("error: there is no prepared data set in")
    assert f"{flag} prepares it in that folder" in last
    assert everything(place) == before
    elsewhere = tmp_path / "elsewhere"
    code, errors, _ = ending(command("evaluate", run, f"--config.data.data_dir={elsewhere}"))
    assert code == 0, errors
    assert list(elsewhere.rglob("dataset_info.json"))
    assert not (place / "data").exists()
    # Prepared data are read without a flag, and nothing is written there.
    shutil.copytree(elsewhere, place / "data")
    before = everything(place / "data")
    try:
        code, errors, _ = ending(command("evaluate", run))
        assert code == 0, errors
        assert everything(place / "data") == before
    finally:
        shutil.rmtree(place / "data")


def test_videos_are_not_generated_in_the_folder_of_a_run(foreign):
    config, place = foreign
    data = dataclasses.replace(
        config.data, name="marionette", manifest="", options={"train_per_class": 1}
    )
    with (
        ProgressLine(silent=True) as progress,
        pytest.raises(UnpreparedError, match="no generated videos in .*: give a flag"),
    ):
        scoring.evaluate(
            dataclasses.replace(config, data=data),
            open_run(place / "run", config),
            place / "run",
            progress,
            unprepared="give a flag",
        )
    assert not (place / "data").exists()


def test_explaining_prepares_in_the_folder_of_its_flag(foreign, tmp_path):
    _, place = foreign
    method = ["--method=frequency", f"--output={tmp_path / 'out'}", "--scales=1"]
    code, errors, _ = ending(command("explain", f"--workdir={place / 'run'}", *method))
    assert code == 2
    assert "--data_dir=" in errors.splitlines()[-1]
    assert not (place / "data").exists()
    assert not (tmp_path / "out").exists()
    assert records.read_mapping(place / "run" / "config.json", "")
