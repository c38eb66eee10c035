"""Tests data sets whose classes differ from a run's: they are matched by name or refused."""

import csv
import json

import pytest

from tests.commands import refusal, run_command
from tests.videos import numbered_frames, write_video

LABELS = ("sit", "walk")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for label, shade in zip(LABELS, (0.3, 1.0), strict=True):
        for number in range(4):
            frames = (numbered_frames(6 + number, 32, 64) * shade).astype("uint8")
            write_video(root / label / f"{number}.mp4", frames)
    return root


def table(videos, file, labels):
    """Writes a CSV of all videos of some folders, with the labels that `labels` gives."""
    rows = [
        (path, labels[path.parent.name], split)
        for path in sorted(videos.rglob("*.mp4"))
        if path.parent.name in labels
        for split in ["test" if path.stem == "0" else "train"]
    ]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "split"), *rows])
    return file


def train(manifest, workdir, *more):
    return run_command(
        "experiments.train",
        "--config=configs/folder.py:width=4",
        f"--config.data.manifest={manifest}",
        f"--config.data.data_dir={workdir.parent / 'data'}",
        f"--workdir={workdir}",
        "--config.model.options.stem_kernel=(1,3,3)",
        "--config.model.options.depths=(1,0,0,0)",
        "--config.data.short_side=32",
        "--config.data.workers=1",
        "--config.clip.frames=2",
        "--config.clip.size=32",
        "--config.eval.size=32",
        "--config.eval.clips=1",
        "--config.eval.crops=1",
        "--config.eval.batch_size=4",
        "--config.train.batch_size=4",
        "--config.train.duration=6 steps",
        "--config.every.checkpoint=2 steps",
        *more,
    )


@pytest.fixture(scope="module")
def run(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    manifest = table(videos, folder / "own.csv", {label: label for label in LABELS})
    done = train(manifest, folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def evaluate(run, manifest):
    return run_command(
        "experiments.evaluate",
        f"--workdir={run}",
        f"--config.data.manifest={manifest}",
        f"--config.data.data_dir={run.parent / 'data'}",
    )


def test_evaluation_refuses_classes_that_the_network_does_not_know(run, videos, tmp_path):
    before = sorted((run / "eval").iterdir())
    manifest = table(videos, tmp_path / "other.csv", {"sit": "drive", "walk": "walk"})
    error = refusal(evaluate(run, manifest))
    assert "does not know 'drive', and the data set lacks 'sit'" in error
    assert sorted((run / "eval").iterdir()) == before


def test_evaluation_on_some_of_the_classes_matches_them_by_name(run, videos, tmp_path):
    own = json.loads(next((run / "eval").glob("*.json")).read_text())
    manifest = table(videos, tmp_path / "one.csv", {"walk": "walk"})
    done = evaluate(run, manifest)
    assert done.returncode == 0, done.stderr
    report = json.loads(next((run / "eval").glob("*.json")).read_text())
    assert report["per_class"] == {"sit": None, "walk": own["per_class"]["walk"]}


def test_a_resumed_run_refuses_a_renamed_class_and_keeps_its_names(run, videos, tmp_path):
    manifest = table(videos, run.parent / "own.csv", {"sit": "sit", "walk": "amble"})
    error = refusal(train(manifest, run, "--config.train.duration=6 steps"))
    assert "'amble'" in error
    assert "'walk'" in error
    assert json.loads((run / "classes.json").read_text()) == list(LABELS)
