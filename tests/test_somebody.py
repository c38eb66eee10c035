"""Tests that a third-party package, `tests/somebody`, is used like vidjax's own modules."""

import json
import shutil
import tomllib

import numpy as np
import pytest

from tests.commands import ROOT, refusal, run_command
from tests.distributions import installed
from tests.videos import numbered_frames, write_video

PACKAGE = ROOT / "tests" / "somebody"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE / "somebody", site / "somebody")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    return installed(site, project["name"], project["entry-points"])


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for label, shade in (("dark", 0.2), ("light", 1.0)):
        for number, split in enumerate(("train", "train", "test")):
            frames = (numbered_frames(6 + number, 32, 32) * shade).astype("uint8")
            write_video(folder / f"{label}-{number}-{split}.mp4", frames)
    return folder


@pytest.fixture(scope="module")
def vidjax(site):
    """Calls `vidjax NAME ...` with the package installed."""
    return lambda *arguments: run_command("vidjax", *arguments, site=str(site))


@pytest.fixture(scope="module")
def run(vidjax, videos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run") / "run"
    done = vidjax(
        "train",
        "--config=quick_shades",
        f"--config.data.manual_dir={videos}",
        f"--config.data.data_dir={workdir.parent / 'data'}",
        f"--workdir={workdir}",
    )
    assert done.returncode == 0, done.stderr
    return workdir


def test_a_third_party_network_and_method_are_trained_on_third_party_videos(run):
    config = json.loads((run / "config.json").read_text())
    assert config["model"]["name"] == "plain"
    assert config["data"]["name"] == "shades"
    assert config["augment"]["also"] == {"dimming": {"most": 0.2}}
    assert json.loads((run / "classes.json").read_text()) == ["dark", "light"]
    lines = list(map(json.loads, (run / "metrics.jsonl").read_text().splitlines()))
    logged = [line for line in lines if line["split"] == "train"]
    assert [line["step"] for line in logged] == list(range(1, 7))
    # The method's readings are logged like those of vidjax's own methods.
    assert all(np.isfinite(line["gained/gain1"]) for line in logged)
    assert len({line["gained/gain2"] for line in logged}) > 1


def test_the_run_is_evaluated_and_explained(vidjax, run, videos, tmp_path):
    done = vidjax("evaluate", f"--workdir={run}")
    assert done.returncode == 0, done.stderr
    assert "top-1" in done.stdout
    video = videos / "light-2-test.mp4"
    done = vidjax(
        "explain",
        *(f"--workdir={run}", f"--video={video}", "--method=tubes", "--classes=light"),
        f"--output={tmp_path / 'seen'}",
    )
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in (tmp_path / "seen").glob("*.html")] == [".html"]


def test_third_party_modules_are_listed_beside_ours(vidjax):
    commands = vidjax("--help").stdout
    assert "  count_shades   Counts the videos of a folder of shades.\n" in commands
    configurations = vidjax("config").stdout.splitlines()
    (line,) = (line for line in configurations if line.startswith("quick_shades "))
    assert line.endswith(" Trains somebody's network on somebody's shades in seconds.")
    described = " ".join(vidjax("options", "plain").stdout.split())
    assert "width 8 channels of stage 1; stage 2 has twice as many" in described
    assert "start 1.0 initial value of all factors" in described


def test_a_third_party_command_runs(vidjax, videos):
    done = vidjax("count_shades", videos)
    assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr


def test_unknown_names_suggest_third_party_ones(vidjax):
    error = refusal(vidjax("options", "plian"))
    assert "model 'plian' is unknown: did you mean 'plain'" in error
    assert "did you mean 'count_shades'" in refusal(vidjax("count_shade"))


def test_third_party_augmentations_are_checked_like_ours(vidjax, videos, tmp_path):
    def error(setting):
        command = ["train", "--config=quick_shades", f"--workdir={tmp_path / 'run'}"]
        return refusal(vidjax(*command, f"--config.augment.also.{setting}"))

    assert "augment.also.dimming.most = 2.0: must be a number in [0, 1]" in error("dimming.most=2")
    assert "augmentation 'diming' is unknown: did you mean 'dimming'" in error("diming={}")
