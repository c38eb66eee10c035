"""Tests pyramids and kernels from the command line, for a barely trained network."""

import csv
import json
import re

import av
import cv2
import pytest

from configs import synthetic
from tests.commands import refusal, run_command
from vidjax.data.encode import write_mp4
from vidjax.data.marionette import render_video
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

LAST = "layer4/block1/conv2"
BEFORE = "layer4/block1/conv1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes a run of two steps with Class Regularization, and two videos."""
    root = tmp_path_factory.mktemp("pyramids")
    config = synthetic.get_config()
    config.model.name = "r3d_18"
    config.model.options = {"width": 8, "depths": (0, 0, 0, 1), "class_reg": {"stages": (4,)}}
    config.data.options = {"num_classes": 3, "videos": 8, "frames": 4, "size": 32}
    config.data.threads = 1
    config.clip.update({"frames": 4, "stride": 2, "size": 32})
    config.eval.update({"size": 32, "batch_size": 4})
    config.train.update({"duration": "2 steps", "batch_size": 4})
    config.every.update({"log": "2 steps", "checkpoint": "2 steps", "evaluate": "2 steps"})
    train(from_mapping(config), root / "run")
    for name in ("kick", "clap"):
        write_mp4(root / f"{name}.mp4", render_video(name), 15)
    return root


def explain(folder, method, *arguments, videos=("kick",)):
    video = ",".join(str(folder / f"{name}.mp4") for name in videos)
    given = (f"--workdir={folder / 'run'}", f"--video={video}", f"--method={method}")
    return run_command("experiments.explain", *given, *arguments)


def frames_of(file):
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_pyramid_down_to_kernels_is_written_and_plays(folder, tmp_path):
    whole = explain(folder, "pyramid", "--threshold=0.3", f"--output={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    text = json.loads((tmp_path / "whole" / "pyramid.json").read_text())
    layers = {layer["name"]: layer for layer in text["layers"]}
    assert sorted(map(sorted, text["sums"])) == [[LAST, "layer4/block1/shortcut/conv"]]
    kernel = layers[BEFORE]["kernels"][0]["kernel"]
    ends = (f"--layer={BEFORE}", f"--kernels={kernel}", "--threshold=0.3", "--draw=children")
    done = explain(folder, "pyramid", *ends, f"--output={tmp_path / 'part'}")
    assert done.returncode == 0, done.stderr
    part = json.loads((tmp_path / "part" / "pyramid.json").read_text())
    assert [layer["name"] for layer in part["layers"]] == [LAST, BEFORE]
    assert [own["kernel"] for own in part["layers"][1]["kernels"]] == [kernel]
    picture = cv2.imread(str(tmp_path / "part" / "pyramid.png"))
    assert picture.std() > 5
    assert cv2.imread(str(tmp_path / "whole" / "pyramid.png")).shape[1] >= picture.shape[1]
    for end in ("mp4", "gif"):
        played = frames_of(tmp_path / "part" / f"pyramid.{end}")
        assert len(played) == 4
        assert (played[0] != played[-1]).any()


def test_kernels_of_two_videos_and_two_classes_are_in_one_figure(folder, tmp_path):
    classes = json.loads((folder / "run" / "classes.json").read_text())[:2]
    given = (f"--classes={','.join(classes)}", "--threshold=0.3", "--depth=2")
    done = explain(folder, "kernels", *given, f"--output={tmp_path}", videos=("kick", "clap"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / f"kernels.{end}") for end in ("png", "csv")]
    told = re.findall(r"/run, (.+): (.+) [\d.]+% in the middle clip", done.stderr)
    assert told == [(f"{name}.mp4", label) for name in ("kick", "clap") for label in classes]
    with (tmp_path / "kernels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["video"], row["label"]) for row in rows} == {
        (f"{name}.mp4", label) for name in ("kick", "clap") for label in classes
    }
    # One kernel of each level; two layers are summed.
    assert len(rows) == 4 * 2
    assert {row["layer"] for row in rows if row["level"] == "1"} == {
        f"{LAST} + layer4/block1/shortcut/conv"
    }
    assert {row["theta"] for row in rows} == {"0.3"}
    assert all(float(row["weight"]) == 1 for row in rows)
    wide = cv2.imread(str(tmp_path / "kernels.png"))
    layers = explain(folder, "kernels", "--format=layer", f"--output={tmp_path / 'layers'}")
    assert layers.returncode == 0, layers.stderr
    narrow = cv2.imread(str(tmp_path / "layers" / "kernels.png"))
    assert wide.shape[1] > 2 * narrow.shape[1]
    again = explain(folder, "kernels", f"--output={tmp_path}")
    assert "kernels.png exists already" in refusal(again)


@pytest.mark.slow
def test_the_most_amplified_channels_are_drawn(folder, tmp_path):
    done = explain(folder, "amplified", "--per_level=2", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(tmp_path / "amplified.png"))
    assert picture.std() > 5
    # Two strips of three frames side by side, and the clip above them.
    assert picture.shape[1] == pytest.approx((1.45 + 6 * 0.74 + 0.14 + 0.15) * 160, abs=1)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("pyramid", ("--layer=layer9",), "down_to = 'layer9': layer 'layer9' is unknown"),
        ("pyramid", ("--kernels=3",), "--kernels needs --layer"),
        ("pyramid", (f"--layer={LAST}", "--depth=2"), "--depth has no effect with --layer"),
        ("pyramid", (f"--layer={LAST}", "--kernels=one"), "--kernels=one: must be whole numbers"),
        ("pyramid", (f"--layer={LAST}", "--kernels=999"), f"{LAST!r} has kernels 0 to 63"),
        ("kernels", ("--draw=children", "--format=layer"), "--draw=children has no effect with"),
        ("kernels", ("--video=",), "--video is missing: name a video, or several"),
        ("pyramid", ("--per_level=2",), "--per_level is not for --method=pyramid"),
        ("kernels", ("--per_level=0",), "--per_level=0"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(folder, tmp_path, method, arguments, message):
    done = explain(folder, method, f"--output={tmp_path / 'new'}", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()
