"""Explanations of a video from the command line, of networks that have hardly learnt."""

import json
import re

import cv2
import pytest

from configs import synthetic
from tests.commands import run_command
from vidjax.data.encode import write_mp4
from vidjax.data.marionette import render_video
from vidjax.run.config import from_mapping
from vidjax.training.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs of two steps, one with Class Regularization after each block, and a video."""
    root = tmp_path_factory.mktemp("explain")
    regularized = {"class_reg": {"form": "icip"}, "depths": (0, 0, 0, 2)}
    for name, options in (("plain", {}), ("cr", regularized)):
        config = synthetic.get_config()
        config.model.name = "r3d_18"
        config.model.options = {"width": 8, "depths": (0, 0, 0, 1), **options}
        config.data.options = {"num_classes": 3, "videos": 8, "frames": 4, "size": 32}
        config.data.threads = 1
        config.clip.update({"frames": 4, "stride": 2, "size": 32})
        config.eval.update({"size": 32, "batch_size": 4})
        config.train.update({"duration": "2 steps", "batch_size": 4})
        config.every.update({"log": "2 steps", "checkpoint": "2 steps", "evaluate": "2 steps"})
        train(from_mapping(config), root / name)
    write_mp4(root / "kick.mp4", render_video("kick"), 15)
    (root / "empty.mp4").touch()
    return root


def panels_of(page):
    text = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return json.loads(text)["panels"]


def explain(folder, method, *arguments, runs="plain", video="kick.mp4"):
    workdirs = ",".join(str(folder / run) for run in runs.split(","))
    given = (f"--workdir={workdirs}", f"--video={folder / video}", f"--method={method}")
    return run_command("experiments.explain", *given, *arguments)


def test_tubes_of_two_networks_stand_side_by_side(folder, tmp_path):
    done = explain(folder, "tubes", f"--output={tmp_path / 'new'}", runs="plain,cr")
    assert done.returncode == 0, done.stderr
    files = [tmp_path / "new" / f"tubes.{end}" for end in ("mp4", "gif", "png", "html")]
    assert done.stdout.split() == list(map(str, files))
    # The clip, both classes and two blocks of the second: rows of 4 frames of 128 pixels.
    assert cv2.imread(str(files[2])).shape[:2] == (5 * (16 + 130), 4 * 130)
    page = files[3].read_text()
    plain, regularized = panels_of(files[3])
    assert not plain["stages"]
    assert [own["name"] for own in regularized["stages"]] == ["layer4 block1", "layer4 block2"]
    first, second = (own["heat"]["data"] for own in regularized["stages"])
    assert first != second
    assert "plain: " in page
    assert "cr: " in page
    again = explain(folder, "tubes", f"--output={tmp_path / 'new'}")
    assert again.returncode == 2
    assert "tubes.mp4 is there already; name another --output" in again.stderr


def test_pyramids_of_two_classes(folder, tmp_path):
    classes = json.loads((folder / "plain" / "classes.json").read_text())
    arguments = (f"--classes={classes[0]},{classes[2]}", "--depth=2", "--threshold=0.5", "--top=4")
    done = explain(folder, "pyramid", *arguments, f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    for number, index in ((1, 0), (2, 2)):
        pyramid = json.loads((tmp_path / f"pyramid-{number}-{classes[index]}.json").read_text())
        assert (pyramid["class_index"], pyramid["depth"]) == (index, 2)
        assert max(map(len, pyramid["lists"])) <= 8
        assert cv2.imread(str(tmp_path / f"pyramid-{number}-{classes[index]}.png")).std() > 5
    assert (tmp_path / "layers.png").is_file()
    assert all(name in (tmp_path / "pyramid.html").read_text() for name in (classes[0], classes[2]))


def test_a_prediction_explains_itself_and_never_over_another(folder):
    arguments = (f"--workdir={folder / 'plain'}", f"--video={folder / 'kick.mp4'}", "--explain")
    (folder / "plain" / "explain" / "kick").mkdir(parents=True)
    done = run_command("experiments.predict", *arguments)
    assert done.returncode == 0, done.stderr
    assert "%" in done.stdout.splitlines()[0]
    page = folder / "plain" / "explain" / "kick-2" / "pyramid.html"
    assert str(page) in done.stdout
    assert page.is_file()
    assert page.with_name("tubes.mp4").is_file()
    # One page has the tubes, the other one also the kernels.
    (tubes,), (kernels,) = panels_of(page.with_name("tubes.html")), panels_of(page)
    assert tubes["heat"] == kernels["heat"]
    assert not tubes["layers"]
    assert kernels["layers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--classes=kicking",), "class 'kicking' is unknown"),
        (("--threshold=1.5",), "threshold = 1.5: must be a number in [0, 1]"),
        (("--depth=99",), "depth = 99: this network has levels 1 to 3"),
        (("--top=0",), "top = 0: must be at least 1"),
        (("--tau=2",), "tau = 2.0: must be a share in [0, 1]"),
        (("--video=",), "--video is missing"),
        (("--tau=nan",), "tau = nan: must be a share in [0, 1]"),
        (("--threshold=inf",), "threshold = inf: must be a number in [0, 1]"),
        (("--depth=0",), "depth = 0: must be a whole number in [1, 1000000]"),
        (("--depth=deep",), "flag --depth=deep: "),
        (("--lists=kernel",), "--lists=kernel"),
        (("--videos=0",), "--videos=0"),
        (("--scales=1",), "--scales is not for --method=pyramid, which takes --classes, --depth"),
        (("--video=empty",), "empty"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(folder, tmp_path, arguments, message):
    arguments = [text.replace("=empty", f"={folder / 'empty.mp4'}") for text in arguments]
    done = explain(folder, "pyramid", f"--output={tmp_path / 'new'}", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()
