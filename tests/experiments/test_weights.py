"""Tests that commands accept published weights in place of a run."""

import csv
import json

import numpy as np
import pytest

from tests.commands import refusal, run_command
from tests.trained.made import FLAGS, NAME, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.run.workdir import read_config

SMALL = ("--config.clip.frames=4", "--config.eval.size=16")


def call(name, *arguments):
    return run_command(f"experiments.{name}", *arguments)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = write_checkpoint(tmp_path_factory.mktemp("weights") / "made.safetensors")
    return (f"--weights={NAME}:{file}", *FLAGS, *SMALL)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for label, shade in (("class 0", 0.3), ("bright", 1.0)):
        for number in range(4):
            frames = (numbered_frames(6 + number, 32, 64) * shade).astype("uint8")
            write_video(root / label / f"{number}.mp4", frames)
    return root


@pytest.fixture(scope="module")
def data(videos):
    return (f"--config.data.manifest={videos}", f"--config.data.data_dir={videos.parent / 'data'}")


@pytest.fixture(scope="module")
def evaluated(weights, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    (folder / "map.csv").write_text("label,class\nbright,class 2\n")
    done = call(
        "evaluate",
        *weights,
        *data,
        f"--label_map={folder / 'map.csv'}",
        f"--output={folder / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_weights_predict_the_action_in_a_video(weights, videos):
    done = call("predict", *weights, f"--video={videos / 'bright/0.mp4'}")
    assert done.returncode == 0, done.stderr
    shares = [float(line.split("%")[0]) for line in done.stdout.splitlines()]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(100, abs=0.05)


def test_a_prediction_is_explained_in_the_given_folder(weights, videos, tmp_path):
    video, output = videos / "bright/0.mp4", tmp_path / "seen"
    done = call("predict", *weights, f"--video={video}", "--explain", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert (output / "tubes.html").is_file()
    assert (output / "pyramid.json").is_file()


def test_weights_are_evaluated_with_a_label_map(evaluated):
    (report,) = (evaluated / "eval").glob("*.json")
    scores = json.loads(report.read_text())
    assert scores["videos"] == 2
    with report.with_name(f"{report.stem}-predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["label"] for row in rows} == {"class 0", "class 2"}
    assert scores["top1"] == np.mean([row["label"] == row["predicted"] for row in rows])


def test_labels_that_the_network_does_not_know_are_refused(weights, data, tmp_path):
    error = refusal(call("evaluate", *weights, *data, f"--output={tmp_path / 'out'}"))
    assert "does not know 'bright'" in error
    assert "--label_map=FILE.csv" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,class\nbright,class 2\nbright,class 1\n", "line 3: label 'bright' is repeated"),
        ("label,class\nbrihgt,class 2\n", "contains 'brihgt', which the data set does not have"),
        ("label,class\n", "maps no label"),
        ("label,klass\nbright,class 2\n", "class"),
        ("label,class\nbright,class 7\n", "does not know 'class 7'"),
    ],
)
def test_invalid_label_maps_are_refused(weights, data, tmp_path, text, message):
    (tmp_path / "map.csv").write_text(text)
    error = refusal(
        call(
            "evaluate", *weights, *data, f"--label_map={tmp_path / 'map.csv'}",
            f"--output={tmp_path / 'out'}",
        )
    )  # fmt: skip
    assert message in error


def test_an_absent_label_map_is_refused_before_the_weights_are_opened(data, tmp_path):
    absent = tmp_path / "absent.csv"
    error = refusal(call("evaluate", "--weights=i3d:absent.pt", *data, f"--label_map={absent}"))
    assert str(absent) in error
    assert "absent.pt" not in error


def test_weights_are_compared_with_themselves_by_their_folder(evaluated, tmp_path):
    done = call("compare", evaluated, evaluated, f"--output={tmp_path / 'differ.csv'}")
    assert done.returncode == 0, done.stderr
    assert "p = 1 " in done.stdout


def test_weights_without_an_evaluation_cannot_be_compared(evaluated):
    assert "has no evaluation; vidjax evaluate makes one" in refusal(
        call("compare", evaluated, "i3d:never-evaluated")
    )


def test_the_views_of_weights_are_drawn(weights, data, tmp_path):
    done = call("contact_sheet", *weights, *data, "--video=0", f"--output={tmp_path / 'views.png'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 of 1 clips, each 4x16x16")
    assert (tmp_path / "views.png").read_bytes().startswith(b"\x89PNG")


def test_naming_both_weights_and_a_run_or_neither_is_refused(weights, videos):
    video = f"--video={videos / 'bright/0.mp4'}"
    assert "name a run with --workdir, or weights with --weights" in refusal(call("predict", video))
    assert "name a configuration with --config" in refusal(
        call("contact_sheet", "--output=never.png")
    )
    error = refusal(call("predict", f"--weights={NAME}:tag", "--workdir=runs/none", video))
    assert "no run in runs/none" in error or "both --workdir and --weights" in error


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tubes", "pyramid"])
def test_weights_are_explained(weights, videos, tmp_path, method):
    done = call(
        "explain", *weights, f"--method={method}", f"--video={videos / 'bright/0.mp4'}",
        f"--output={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{method}.html").is_file()


@pytest.mark.slow
def test_weights_are_exported(weights, tmp_path):
    done = call("export", *weights, "--format=stablehlo", f"--output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "card.json").read_text())["input"]["shape"] == [
        "batch", 4, 16, 16, 3,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_starts_from_a_file(weights, data, tmp_path):
    done = call(
        "train", "--config=configs/folder.py:width=4", *data, *FLAGS, *SMALL,
        f"--config.model.weights={weights[0].partition('=')[2]}",
        "--config.clip.size=16", "--config.eval.clips=1", "--config.eval.crops=1",
        "--config.train.batch_size=4", "--config.train.duration=2 steps",
        f"--workdir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "; random: head" in done.stderr
    name = read_config(tmp_path / "run")["model"]["name"]
    assert name == NAME
