"""Tests the commands as a user runs them: in separate processes, on real files."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vidjax
from tests.commands import run_command
from tests.videos import numbered_frames, write_video
from vidjax.trained.video_record import as_record

ROOT = Path(__file__).parents[2]


def call(name, *arguments):
    return run_command(f"experiments.{name}", *arguments)


def call_from_nothing(name, *arguments):
    command = [sys.executable, "-m", f"experiments.{name}", *map(str, arguments)]
    # XLA compiles with its default options too.
    environment = {**os.environ, "PYTHONWARNINGS": "default", "XLA_FLAGS": ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Writes a folder of two classes that differ in brightness, and one broken file."""
    root = tmp_path_factory.mktemp("mine") / "videos"
    for label, shade in (("dark", 0.3), ("light", 1.0)):
        for number in range(5):
            frames = (numbered_frames(10 + number) * shade).astype("uint8")
            write_video(root / label / f"{number}.mp4", frames)
    (root / "dark" / "broken.mp4").write_bytes(b"")
    return root


def settings(videos, workdir):
    return (
        f"--workdir={workdir}",
        "--config=configs/folder.py:width=4",
        f"--config.data.manifest={videos}",
        f"--config.data.data_dir={workdir.parent / 'data'}",
        "--config.model.options.stem_kernel=(1,3,3)",
        "--config.model.options.depths=(1,1,1,1)",
        "--config.clip.frames=2",
        "--config.clip.size=32",
        "--config.data.short_side=32",
        "--config.eval.size=32",
        "--config.eval.crops=3",
        "--config.train.batch_size=4",
        "--config.train.duration=8 steps",
        "--config.every.checkpoint=4 steps",
    )


@pytest.fixture(scope="module")
def run(videos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "mine"
    done = call_from_nothing("train", *settings(videos, workdir))
    assert done.returncode == 0, done.stderr
    return workdir, done


def test_training_on_a_folder_writes_the_documented_files(run):
    workdir, done = run
    assert "step 8/8" in done.stderr
    assert "top-1" in done.stderr
    assert "clips/s" in done.stderr
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "split", "loss", "top1"} <= lines[0].keys()
    for name in ("config.json", "environment.json", "classes.json", "timing.jsonl"):
        assert (workdir / name).is_file()
    assert list((workdir / "tensorboard").glob("events.*"))
    (report,) = (workdir / "eval").glob("*.json")
    summary = json.loads(report.read_text())
    assert summary["videos"] == 2
    assert summary["views"]["crops"] == 3
    assert len(summary["manifest"]) == 64


def test_evaluation_with_other_views_adds_a_report_of_videos_and_single_views(run, videos):
    workdir, _ = run
    done = call("evaluate", f"--workdir={workdir}", "--checkpoint=best", "--config.eval.clips=3")
    assert done.returncode == 0, done.stderr
    assert "test-3x3-step8: top-1" in done.stdout
    assert len(list((workdir / "eval").glob("*.json"))) == 2
    summary = json.loads((workdir / "eval/test-3x3-step8.json").read_text())
    assert summary["clip_top1"] == pytest.approx(np.mean([*alone(workdir, videos, clips=3)]))
    assert f"single clips {summary['clip_top1']:.1%}" in done.stdout
    assert "clip_top5" not in summary


def alone(workdir, videos, clips):
    """Computes view by view whether the network is right."""
    trained = vidjax.open_run(workdir)
    views = dataclasses.replace(trained.views, clips=clips)
    with (workdir / "eval/test-3x3-step8-predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2
    for row in rows:
        record = as_record(videos / row["video"], trained.preprocessing, views)
        for crops in (views.cut(record, clip) for clip in range(clips)):
            for crop in crops:
                first = int(np.argmax(trained.score(crop[None, None])))
                yield trained.labels[first] == row["label"]


def test_prediction_names_classes_with_probabilities(run, videos):
    workdir, _ = run
    done = call("predict", f"--workdir={workdir}", f"--video={videos / 'dark/0.mp4'}")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {name for _, name in rows} == {"dark", "light"}
    assert sum(float(share.rstrip("%")) for share, _ in rows) == pytest.approx(100, abs=0.05)


def test_a_finished_run_is_left_alone(run, videos):
    workdir, _ = run
    before = (workdir / "metrics.jsonl").read_bytes()
    done = call("train", *settings(videos, workdir))
    assert done.returncode == 0
    assert (workdir / "metrics.jsonl").read_bytes() == before


def test_errors_are_one_line_that_names_value_and_fix(run, videos, tmp_path):
    workdir, _ = run
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text.mp4"
    text.write_text("text")
    base = ("--config=configs/folder.py", f"--workdir={tmp_path / 'run'}")
    cases = {
        "config.optimzer is not a setting; did you mean 'optimizer'?": (
            "train",
            *base,
            "--config.optimzer.lr=1",
        ),
        "model 'r3d_81' is unknown: did you mean 'r3d_18'": (
            "train",
            *base,
            "--config.model.name=r3d_81",
            f"--config.data.manifest={videos}",
        ),
        "contains no videos": ("train", *base, f"--config.data.manifest={empty}"),
        "train.batch_size = 7 is not divisible by train.accumulate = 2": (
            "train",
            *base,
            "--config.train.batch_size=7",
            "--config.train.accumulate=2",
        ),
        "optimizer.lr is 0.05 there, 0.3 here": (
            "train",
            *settings(videos, workdir),
            "--config.optimizer.lr=0.3",
        ),
        "text.mp4: not a readable video": ("predict", f"--workdir={workdir}", f"--video={text}"),
        "no checkpoint '999'": ("evaluate", f"--workdir={workdir}", "--checkpoint=999"),
        "no run in": ("evaluate", f"--workdir={empty}"),
    }
    for message, arguments in cases.items():
        done = call(*arguments)
        assert done.returncode == 2, (message, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")


def test_a_corrupt_checkpoint_is_named_with_the_fix(run, tmp_path):
    workdir = tmp_path / "damaged"
    shutil.copytree(run[0], workdir)
    for file in (workdir / "checkpoints" / "8").rglob("*"):
        if file.is_file() and file.stat().st_size > 200:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    done = call("evaluate", f"--workdir={workdir}")
    assert done.returncode == 2
    assert "checkpoint 8 in" in done.stderr
    assert "move the folder 8 away" in done.stderr
    done = call("evaluate", f"--workdir={workdir}", "--checkpoint=4")
    assert done.returncode == 0, done.stderr


NAMES = ("train", "evaluate", "predict", "demo", "prepare", "export", "contact_sheet")


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example(name):
    done = call(name, "--help")
    assert f"vidjax {name}" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
