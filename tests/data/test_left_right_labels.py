"""Tests labels that distinguish left from right, and the settings that are refused for them."""

import types

import pytest

from configs import common
from vidjax.data.left_right_labels import left_right_labels, refuse_mirrors
from vidjax.data.marionette import CLASSES
from vidjax.run import experiment
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.run.sharding import make_mesh
from vidjax.training import loop

SIDED = ("walk", "turn_left", "turn_right", "jump")


@pytest.mark.parametrize(
    "name",
    [
        "left",
        "Pulling something from left to right",
        "turn_right",
        "Swiping Left",
        "TurnLeft",
        "RIGHT-hook",
        "left2right",
        "(right) hand",
    ],
)
def test_left_and_right_are_found_as_words(name):
    assert left_right_labels(("walk", name)) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "brightness 3",
        "cleft",
        "LeftoverSoup",
        "copyright",
        "upright",
        "Frighten",
        "rights",
        "BRIGHT",
    ],
)
def test_left_and_right_within_words_are_ignored(name):
    assert left_right_labels(("walk", name)) == ()


def test_the_generated_data_set_may_be_mirrored():
    assert left_right_labels(CLASSES) == ()


def test_a_refusal_names_two_labels_and_the_fix():
    refuse_mirrors(("walk", "jump"), "augment.flip = 0.5", "augment.flip=0")
    message = "0.5 mirrors .* 2 labels .* 'turn_left' and 'turn_right'; set augment.flip=0,"
    with pytest.raises(ValueError, match=message):
        refuse_mirrors(SIDED, "augment.flip = 0.5", "augment.flip=0")


def network(classes=SIDED, **changes):
    config = configured(**changes)
    return Network(config, classes, make_mesh(config.mesh))


def configured(**changes):
    raw = common.smoke(common.base())
    for path, value in changes.items():
        group, key = path.split("__")
        raw[group][key] = value
    return from_mapping(raw)


@pytest.fixture
def own_videos(tmp_path):
    """Settings of a data set with left and right labels, whose files cannot be decoded."""
    rows = [
        f"{label}_{split}.mp4,{label},{split}" for label in SIDED for split in ("train", "test")
    ]
    for row in rows:
        (tmp_path / row.split(",")[0]).write_bytes(b"no video")
    manifest = tmp_path / "list.csv"
    manifest.write_text("\n".join(["path,label,split", *rows, ""]))
    return {
        "data__name": "video_folder", "data__manifest": str(manifest), "data__options": {},
        "data__data_dir": str(tmp_path / "data"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "augment.flip = 0.5 mirrors clips"),
        ({"augment__flip": 0.0, "eval__crops": 10, "eval__short_side": 56}, "eval.crops = 10 mir"),
        (
            {"augment__flip": 0.0, "eval__split": "val"},
            "eval.split = 'val': video_folder has only videos of train, test; set eval.split",
        ),
        (
            {"augment__flip": 0.0, "data__train_split": "all"},
            "data.train_split = 'all': video_folder has only videos of",
        ),
    ],
)
def test_mirroring_is_refused_before_a_video_is_decoded(own_videos, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        loop.train(configured(**own_videos, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "data").exists()
    # The next step would be decoding.
    with pytest.raises(ValueError, match="4 of 4 videos of split"):
        loop.train(configured(**own_videos, augment__flip=0.0), tmp_path / "run")


def test_mirroring_is_refused_without_a_list_of_videos_too(monkeypatch, tmp_path):
    source = types.SimpleNamespace(classes=SIDED)
    monkeypatch.setattr(experiment, "SyntheticSplit", lambda **options: source)
    with pytest.raises(ValueError, match="augment.flip = 0.5 mirrors clips"):
        loop.train(configured(data__name="synthetic", data__options={}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (("walk", "jump"), {}),
        (SIDED, {"augment__flip": 0.0}),
        (SIDED, {"augment__flip_sided": True}),
    ],
)
def test_training_starts_if_no_label_is_affected_or_flip_sided_is_set(classes, changes):
    network(classes, **changes).check_mirroring()


def test_ten_crops_are_refused_for_left_and_right_labels():
    ten = {"eval__crops": 10, "eval__short_side": 56}
    with pytest.raises(ValueError, match="eval.crops = 10 mirrors .* set eval.crops=3, or augment"):
        network(**ten).views  # noqa: B018
    assert network(**ten, augment__flip_sided=True).views.crops == 10
    assert network(("walk",), **ten).views.short_side == 56
    assert network(eval__crops=3).views.crops == 3
