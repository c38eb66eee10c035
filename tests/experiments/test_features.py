"""Tests the commands from videos to features to a probe."""

import csv
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import vidjax
from tests.commands import refusal, run_command
from tests.documented import typed_in
from tests.faults.tiny import command, ending
from tests.trained.made import FLAGS, NAME, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.trained.feature_files.files import read_features, write_features
from vidjax.trained.open_weights import open_weights

SMALL = (*FLAGS, "--config.clip.frames=2", "--config.eval.size=16")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Makes weights, and a folder of classes that differ in brightness, with one broken file."""
    root = tmp_path_factory.mktemp("place")
    write_checkpoint(root / "made.safetensors")
    for label, shade in (("dark", 0.3), ("light", 1.0)):
        for number in range(6):
            frames = (numbered_frames(6 + number) * shade).astype("uint8")
            write_video(root / "videos" / label / f"{number}.mp4", frames)
    (root / "videos" / "dark" / "broken.mp4").write_bytes(b"no video")
    return root


@pytest.fixture(scope="module")
def weights(place):
    return f"--weights={NAME}:{place / 'made.safetensors'}"


@pytest.fixture(scope="module")
def features(place, weights):
    """Extracts features of the folder as a data set; returns them and the command's output."""
    done = run_command(
        "experiments.features", weights, *SMALL, f"--config.data.manifest={place / 'videos'}",
        f"--output={place / 'features.h5'}", "--clips=2", "--dtype=float16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "features.h5", done


def test_a_folder_of_classes_becomes_a_file_and_broken_videos_are_listed(features):
    file, done = features
    assert f"12 rows of 4 features of 12 videos: {file}" in done.stdout
    assert "skipped dark/broken.mp4: " in done.stderr
    assert "1 videos could not be read" in done.stderr
    assert "features of 13/13 videos, 12 rows" in done.stderr
    found = read_features(file)
    assert found.features.dtype == np.float16
    assert {Path(video).parts[0] for video in found.video} == {"dark", "light"}
    assert [Path(video).parts[0] for video in found.video] == found.label.tolist()
    assert set(found.split) == {"train", "test"}
    assert found.about["weights"] == "made.safetensors"
    assert found.about["preprocessing"]["size"] == 16


def test_a_probe_separates_the_classes_and_can_be_compared(features, tmp_path):
    file, _ = features
    for method in ("linear", "knn"):
        done = run_command(
            "experiments.probe", f"--features={file}", f"--method={method}",
            f"--output={tmp_path / method}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert re.search(rf"{method}: top-1 [0-9.]+%, top-5 100.0% of \d features", done.stdout)
        assert ("C = " in done.stdout) == (method == "linear")
        assert re.search(r"dark +│ +[0-9.]+% │ +\d │", done.stdout)
    table = tmp_path / "linear/eval/test-probe-step0-predictions.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    found = read_features(file).of_split("test")
    assert [row["video"] for row in rows] == found.video.tolist()
    scores = json.loads((tmp_path / "linear/eval/test-probe-step0.json").read_text())
    assert scores["top1"] == np.mean([row["correct"] == "1" for row in rows])
    assert scores["features"]["weights"] == "made.safetensors"
    done = run_command("experiments.compare", tmp_path / "linear", tmp_path / "knn")
    assert done.returncode == 0, done.stderr
    assert "McNemar" in done.stdout
    again = run_command("experiments.probe", f"--features={file}", f"--output={tmp_path / 'knn'}")
    assert "knn exists already; name another" in refusal(again)


@pytest.mark.slow
def test_a_long_video_without_labels_becomes_rows_of_seconds(place, weights, tmp_path):
    video = write_video(tmp_path / "long.mp4", numbered_frames(50))
    given = (weights, *SMALL, f"--videos={video}", f"--output={tmp_path / 'long.npz'}")
    done = run_command("experiments.features", *given, "--window_stride=0.4", "--layer=stage1")
    assert done.returncode == 0, done.stderr
    found = read_features(tmp_path / "long.npz")
    np.testing.assert_allclose(found.start[:5], np.arange(5) * 0.4, atol=1e-6)
    assert set(found.video) == {"long.mp4"}
    assert found.clip.tolist() == list(range(len(found)))
    refused = run_command("experiments.probe", f"--features={tmp_path / 'long.npz'}")
    assert "split 'train' has no features; the splits are: none" in refusal(refused)


def test_what_does_not_fit_is_refused_in_one_line(place, weights, tmp_path):
    base = (weights, *SMALL, f"--output={tmp_path / 'f.npz'}")
    videos = f"--videos={place / 'videos'}"
    cases = {
        "no videos: name a folder": base,
        "layer 'stag4' is unknown: did you mean 'stage4'": (*base, videos, "--layer=stag4"),
        "--window_stride writes a row for each window": (
            *base,
            videos,
            "--window_stride=1",
            "--clips=2",
        ),
        "--split=val has no videos; the splits are: none": (*base, videos, "--split=val"),
    }
    for words, arguments in cases.items():
        assert words in refusal(run_command("experiments.features", *arguments)).splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_command_resumes(place, weights, tmp_path):
    given = [weights, *SMALL, f"--videos={place / 'videos'}", "--window_stride=0.08"]
    whole = [*given, f"--output={tmp_path / 'whole.npz'}"]
    assert run_command("experiments.features", *whole).returncode == 0
    fault = (
        "import time; from vidjax.trained.feature_files import unfinished as u; "
        "u._SAVED_EVERY = 0.0; add = u.Unfinished.add; "
        "u.Unfinished.add = lambda s, r: (time.sleep(0.3), add(s, r))"
    )
    output = tmp_path / "f.npz"
    process = command("features", *given, f"--output={output}", fault=fault)
    pieces, began = tmp_path / "f.npz.unfinished", time.monotonic()
    while len(list(pieces.glob("*.npz"))) < 5:
        assert time.monotonic() - began < 120
        time.sleep(0.05)
    refused = run_command("experiments.features", *given, f"--output={output}")
    assert "f.npz.unfinished is in use by process" in refusal(refused)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not output.exists()
    done = run_command("experiments.features", *given, f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert "resuming after" in done.stderr
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not pieces.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_sigterm_keeps_the_finished_rows(place, weights, tmp_path, number, ends):
    given = [weights, *SMALL, f"--videos={place / 'videos'}", f"--output={tmp_path / 'f.npz'}"]
    fault = (
        "import os; from vidjax.trained.feature_files import unfinished as u; "
        "add = u.Unfinished.add; "
        f"u.Unfinished.add = lambda s, r: (add(s, r), os.kill(os.getpid(), {int(number)}))"
    )
    code, errors, _ = ending(command("features", *given, fault=fault))
    assert code == ends
    assert errors.strip().endswith("; run the same command again to continue")
    assert len(read_features(tmp_path / "f.npz.unfinished/000000.npz")) == 1


def test_the_page_on_features_is_correct(place, features, monkeypatch):
    """Runs its Python with other weights, and parses the flags of its commands."""
    monkeypatch.chdir(place)
    write_video(place / "my.mp4", numbered_frames(20))
    write_features(place / "features.npz", read_features(features[0]))
    small = {"width": 4, "depths": (1, 0, 0, 0)}
    made = open_weights(f"{NAME}:made.safetensors", small)
    monkeypatch.setattr(vidjax, "load_pretrained", lambda *named: made, raising=False)
    typed, names = typed_in("docs/features.md"), {}
    for each in typed:
        if each.python:
            exec(compile(each.python, each.file, "exec"), names)
    assert names["embedding"].shape == names["stage"].shape == (1, 4)
    assert 0 <= names["probe"].top1 <= 1
    for module in ("experiments.features", "experiments.probe"):
        told = run_command(module, "--helpfull").stdout
        assert f"vidjax {module.partition('.')[2]}" in told
        given = {word for each in typed if each.module == module for word in each.arguments}
        flags = {word.partition("=")[0].removeprefix("--") for word in given}
        for flag in flags:
            assert flag.startswith("config.") or f"--{flag}" in told or f"--[no]{flag[2:]}" in told
