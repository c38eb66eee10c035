"""Tests explanations of a video from the command line, for barely trained networks."""

import json
import re

import av
import cv2
import numpy as np
import pytest

from configs import synthetic
from tests.commands import run_command
from tests.faults.tiny import command
from vidjax.data.encode import write_mp4
from vidjax.data.marionette import render_video
from vidjax.run.config import from_mapping
from vidjax.training.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes two runs of two steps, one with Class Regularization after each block, and a video."""
    root = tmp_path_factory.mktemp("explain")
    regularized = {"class_reg": {"after": "block"}, "depths": (0, 0, 0, 2)}
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


def count_frames(video):
    with av.open(str(video)) as container:
        rate = container.streams.video[0].average_rate
        return sum(1 for _ in container.decode(video=0)), rate


def explain(folder, method, *arguments, runs="plain", video="kick.mp4"):
    workdirs = ",".join(str(folder / run) for run in runs.split(","))
    given = (f"--workdir={workdirs}", f"--video={folder / video}", f"--method={method}")
    return run_command("experiments.explain", *given, *arguments)


def test_tubes_of_two_networks_are_side_by_side(folder, tmp_path):
    done = explain(folder, "tubes", f"--output={tmp_path / 'new'}", runs="plain,cr")
    assert done.returncode == 0, done.stderr
    files = [tmp_path / "new" / f"tubes.{end}" for end in ("mp4", "gif", "png", "html")]
    assert done.stdout.split() == list(map(str, files))
    # The video, both classes and two blocks of the second run: rows of 5 frames of 96x128, enlarged
    # three times, each with a caption of at most 100 pixels.
    sheet = cv2.imread(str(files[2]))
    assert sheet.shape[1] == 5 * (384 + 3)
    assert 5 * 288 < sheet.shape[0] < 5 * (288 + 100)
    # All frames from the clip's first to its last, at the video's own rate.
    assert count_frames(files[0]) == (3 * 2 + 1, 15)
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
    assert "tubes.mp4 exists already; name another --output" in again.stderr


@pytest.mark.slow
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


def classes_of(folder):
    return json.loads((folder / "plain" / "classes.json").read_text())


def test_maps_of_two_classes_and_their_difference(folder, tmp_path):
    first, _, last = classes_of(folder)
    arguments = (
        "--maps=saliency_tube,rise:masks=4:sides=2",
        f"--difference={first},{last}",
    )
    done = explain(folder, "maps", *arguments, f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    files = [tmp_path / f"maps.{end}" for end in ("mp4", "gif", "png", "html", "npz")]
    assert done.stdout.split() == list(map(str, files))
    told = re.findall(r"/plain: (.+) [\d.]+% in the middle clip", done.stderr)
    assert told == [first, last]
    one, other = panels_of(files[3])
    assert one["title"].startswith(f"{first} (")
    assert other["title"].startswith(f"{last} (")
    _, rise = one["heats"]
    assert " · 4x2x2 cells · masks 4 · sides 2 · 4 passes, " in rise["caption"]
    with np.load(files[4], allow_pickle=False) as arrays:
        names = arrays["names"].tolist()
        assert arrays["classes"].tolist() == [first, first, last, last]
        assert arrays["maps"].tolist() == ["saliency_tube", "rise"] * 2
        assert arrays["layers"].tolist() == [""] * 4
        assert arrays["cells"][1] == "4x2x2 cells"
        assert arrays["passes"].tolist()[1] == 4
        assert (arrays["seconds"] > 0).all()
        volumes = [arrays[name] for name in names]
        assert {(own.shape, own.dtype.str) for own in volumes} == {((4, 32, 32), "<f4")}
        assert all(own.min() >= 0 and own.max() <= 1 for own in volumes)
        # Every second frame of 15 a second, from the middle of the video.
        assert np.allclose(np.diff(arrays[f"{names[0]}.times"]), 2 / 15, atol=1e-3)
        assert arrays[f"{names[0]}.size"].tolist() == [96, 128]
        # The middle 32 of 43 columns, after resizing from 128.
        window = [0, 5 * 128 / 43, 96, 32 * 128 / 43]
        assert arrays[f"{names[0]}.window"].tolist() == pytest.approx(window)
    # Rows below the video: two maps of each class, and the difference of each map.
    sheet = cv2.imread(str(files[2]))
    assert 7 * 288 < sheet.shape[0] < 7 * (288 + 100)


@pytest.mark.slow
def test_a_warning_about_few_cells_suggests_an_earlier_layer(folder, tmp_path):
    done = explain(folder, "tubes", f"--output={tmp_path / 'tubes'}")
    (offer,) = re.findall(r"vidjax explain --method=maps --layer=(\S+) \.\.\.", done.stderr)
    assert "The map has only 1x4x4 cells, too coarse to locate much." in done.stderr
    given = (f"--layer={offer}", "--maps=grad_cam", f"--output={tmp_path / 'maps'}")
    done = explain(folder, "maps", *given)
    assert done.returncode == 0, done.stderr
    assert "too coarse" not in done.stderr
    with np.load(tmp_path / "maps" / "maps.npz") as arrays:
        assert arrays["layers"].tolist() == [offer]
        cells = [int(number) for number in re.findall(r"\d+", str(arrays["cells"][0]))]
    assert all(own >= least for own, least in zip(cells, (2, 4, 4), strict=True))


@pytest.mark.slow
def test_tau_is_a_half_by_default_and_can_be_turned_off(folder, tmp_path):
    heats = {}
    for name, given in {"": (), "half": ("--tau=0.5",), "none": ("--tau=none",)}.items():
        output = tmp_path / (name or "default")
        done = explain(folder, "tubes", *given, f"--output={output}")
        assert done.returncode == 0, done.stderr
        (panel,) = panels_of(output / "tubes.html")
        heats[name] = panel["heats"][0]["heat"]
    assert heats[""] == heats["half"] != heats["none"]


def test_a_prediction_is_explained_in_a_new_folder(folder):
    arguments = (f"--workdir={folder / 'plain'}", f"--video={folder / 'kick.mp4'}", "--explain")
    (folder / "plain" / "explain" / "kick").mkdir(parents=True)
    done = run_command("experiments.predict", *arguments)
    assert done.returncode == 0, done.stderr
    assert "%" in done.stdout.splitlines()[0]
    page = folder / "plain" / "explain" / "kick-2" / "pyramid.html"
    assert str(page) in done.stdout
    assert page.is_file()
    assert page.with_name("tubes.mp4").is_file()
    # One page has only tubes, the other also kernels.
    (tubes,), (kernels,) = panels_of(page.with_name("tubes.html")), panels_of(page)
    assert tubes["heats"] == kernels["heats"]
    assert "1x4x4 cells · tau 0.5 · 3 passes, " in tubes["heats"][0]["caption"]
    assert tubes["pyramid"] is None
    assert kernels["pyramid"]["layers"]


# Makes another class the most likely one over all clips than in the middle clip.
ROLLED = """
import dataclasses, numpy as np
from vidjax.trained.trained_network import Trained
whole = Trained.prediction
def rolled(*given, **more):
    found = whole(*given, **more)
    return dataclasses.replace(found, probabilities=np.roll(found.probabilities, 1))
Trained.prediction = rolled
"""


def test_the_class_that_is_printed_first_is_explained(folder, tmp_path):
    given = (f"--workdir={folder / 'plain'}", f"--video={folder / 'kick.mp4'}")
    process = command("predict", *given, "--explain", f"--output={tmp_path}", fault=ROLLED)
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    first, label = out.splitlines()[0].split(maxsplit=1)
    (panel,) = panels_of(tmp_path / "tubes.html")
    own = dict(panel["scores"])
    assert max(own, key=own.get) != label
    assert panel["title"] == f"{label} ({own[label]:.1%})"
    note = f"there the probability of {label} is {own[label]:.1%}"
    assert note in out
    assert f"{own[label]:.2%}" != first


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
        (("--tau=half",), "--tau=half: must be a number in [0, 1], or none"),
        (("--colours=viridis",), "--colours=viridis"),
        (("--spline=linear",), "--spline=linear"),
        (("--maps=rise",), "--maps is not for --method=pyramid"),
        (("--difference=a,b",), "--difference is not for --method=pyramid"),
        (("--threshold=inf",), "threshold = inf: must be a number in [0, 1]"),
        (("--depth=0",), "depth = 0: must be a whole number in [1, 1000000]"),
        (("--depth=deep",), "--depth=deep: 'deep' is not a whole number"),
        (("--lists=kernel",), "--lists=kernel"),
        (("--videos=0",), "--videos=0"),
        (("--scales=1",), "--scales is not for --method=pyramid, which takes --classes, --col"),
        (("--video=empty",), "empty"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(folder, tmp_path, arguments, message):
    arguments = [text.replace("=empty", f"={folder / 'empty.mp4'}") for text in arguments]
    done = explain(folder, "pyramid", f"--output={tmp_path / 'new'}", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--maps=grad_can",), "map 'grad_can' is unknown: did you mean 'grad_cam'"),
        (("--layer=layer9",), "layer 'layer9' is unknown: did you mean 'layer4'"),
        (("--maps=rise", "--layer=layer4"), "--layer=layer4 has no effect on rise"),
        (("--maps=rise,rise:masks=9",), "--maps has rise twice"),
        (("--maps=rise:masks",), "write settings as rise:SETTING=VALUE"),
        (("--maps=grad_cam:x=1",), "grad_cam has no setting 'x'"),
        (("--maps=rise:masks=0",), "rise masks = 0: must be a whole number"),
        (("--maps=random",), "random is a baseline for --method=faithfulness"),
        (("--difference=kick",), "--difference=kick: must be two classes"),
        (("--difference=a,b", "--classes=a"), "--classes has no effect with --difference"),
        (("--difference=kicking,b",), "class 'kicking' is unknown"),
        (("--tau=0.5",), "--tau is not for --method=maps"),
    ],
)
def test_maps_that_cannot_be_drawn_are_refused_in_one_line(folder, tmp_path, arguments, message):
    done = explain(folder, "maps", f"--output={tmp_path / 'new'}", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()
