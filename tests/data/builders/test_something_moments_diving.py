"""Tests Something-Something v2, Moments in Time and Diving-48."""

import json

import pytest

from tests.data.builders.conftest import left_out, rows
from vidjax.data.builders.diving48 import Diving48
from vidjax.data.builders.moments_in_time import MomentsInTime
from vidjax.data.builders.something_something_v2 import SomethingSomethingV2
from vidjax.data.manifest import ManifestError

HOLDING, FALLING = "Holding something next to something", "Something falling like a feather"


def _row(video, template):
    return {"id": video, "label": "in words", "template": template, "placeholders": []}


def _something(tree, prefix="labels/"):
    tree.text(f"{prefix}labels.json", json.dumps({FALLING: "1", HOLDING: "0"}))
    train = [_row("78687", "Holding [something] next to [something]"), _row("9", f"[{FALLING}]")]
    tree.text(f"{prefix}train.json", json.dumps(train))
    validation = [_row("42326", "[Something] falling like a feather")]
    tree.text(f"{prefix}validation.json", json.dumps(validation))
    tree.text(f"{prefix}test.json", json.dumps([{"id": "1420"}]))
    tree.videos(*(f"20bn-something-something-v2/{n}.webm" for n in (78687, 42326, 1420)))


@pytest.mark.parametrize("prefix", ["labels/", "something-something-v2-"])
def test_templates_without_brackets_are_labels_in_the_published_order(tree, prefix):
    _something(tree, prefix)
    manifest = SomethingSomethingV2.manifest_of(tree.request())
    assert manifest.classes == (HOLDING, FALLING)
    assert [row[:3] for row in rows(manifest)] == [
        ("20bn-something-something-v2/78687.webm", HOLDING, "train"),
        ("20bn-something-something-v2/42326.webm", FALLING, "val"),
    ]
    assert left_out(manifest) == [("20bn-something-something-v2/9.webm", "missing")]


def test_the_answers_file_labels_the_test_split(tree):
    _something(tree)
    tree.text("labels/test-answers.csv", f"1420;{FALLING}\n")
    manifest = SomethingSomethingV2.manifest_of(tree.request())
    assert [(entry.path[-9:], entry.label) for entry in manifest.split("test")] == [
        ("1420.webm", FALLING)
    ]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.json", [{"id": "9"}], "train.json, entry 1 lacks 'template'"),
        ("train.json", [_row("9", "Eating [something]")], "'Eating something' is not in its list"),
        ("labels.json", {HOLDING: "0", FALLING: "2"}, "classes must be numbered 0, 1, ..."),
        ("labels.json", {HOLDING: "first"}, "labels.json: .*'first' is not a number"),
        (
            "labels.json",
            [HOLDING],
            "labels.json differs from its published format: it must be an object",
        ),
    ],
)
def test_errors_in_something_something_are_named(tree, file, content, message):
    _something(tree)
    tree.text(f"labels/{file}", json.dumps(content))
    with pytest.raises(ManifestError, match=message):
        SomethingSomethingV2.manifest_of(tree.request())


def test_a_video_in_two_lists_is_refused(tree):
    _something(tree)
    tree.text("labels/validation.json", json.dumps([_row("78687", f"[{FALLING}]")]))
    with pytest.raises(ManifestError, match="group '78687' is in both training and evaluation"):
        SomethingSomethingV2.manifest_of(tree.request())


def _moments(tree, place=""):
    tree.text(f"{place}moments_categories.txt", "clapping,0\nadult+male+singing,1\nblocking,2\n")
    tree.text(
        f"{place}trainingSet.csv",
        "blocking/getty-karate,-video-id635808620_4.mp4,blocking,3,0\n"
        "adult+male+singing/0P3XG_vf91c_35.mp4,adult+male+singing,2,1\n",
    )
    tree.text(f"{place}validationSet.csv", "clapping/yt-abc_7.mp4,clapping,3,0\n")
    tree.videos(
        f"{place}training/blocking/getty-karate,-video-id635808620_4.mp4",
        f"{place}training/adult+male+singing/0P3XG_vf91c_35.mp4",
        f"{place}validation/clapping/yt-abc_7.mp4",
    )


@pytest.mark.parametrize("place", ["", "Moments_in_Time_Raw/"])
def test_moments_get_indices_from_the_list_and_groups_from_file_names(tree, place):
    _moments(tree, place)
    manifest = MomentsInTime.manifest_of(tree.request())
    assert manifest.classes == ("clapping", "adult+male+singing", "blocking")
    assert [(path, label, split, group) for path, label, split, _, _, group in rows(manifest)] == [
        (
            f"{place}training/blocking/getty-karate,-video-id635808620_4.mp4",
            "blocking",
            "train",
            "getty-karate,-video-id635808620",
        ),
        (
            f"{place}training/adult+male+singing/0P3XG_vf91c_35.mp4",
            "adult+male+singing",
            "train",
            "0P3XG_vf91c",
        ),
        (f"{place}validation/clapping/yt-abc_7.mp4", "clapping", "val", "yt-abc"),
    ]


def test_moments_of_one_source_in_both_splits_cause_a_warning(tree):
    _moments(tree)
    tree.text("validationSet.csv", "adult+male+singing/0P3XG_vf91c_9.mp4,adult+male+singing,3,0\n")
    tree.videos("validation/adult+male+singing/0P3XG_vf91c_9.mp4")
    manifest = MomentsInTime.manifest_of(tree.request())
    assert len(manifest.entries) == 3
    assert "group '0P3XG_vf91c' is in both training and evaluation" in tree.notes[0]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("trainingSet.csv", "a/b_1.mp4,3,0\n", "trainingSet.csv, line 1: .* does not look like"),
        ("trainingSet.csv", "a/b_1.mp4,a,3,0\n", "'a' is not in its list of 3 classes"),
        ("moments_categories.txt", "clapping\n", "line 1: 'clapping' does not look like"),
        ("moments_categories.txt", "clapping,1\n", "classes must be numbered 0, 1, ..."),
    ],
)
def test_errors_in_moments_are_named(tree, file, content, message):
    _moments(tree)
    tree.text(file, content)
    with pytest.raises(ManifestError, match=message):
        MomentsInTime.manifest_of(tree.request())


VOCABULARY = [["Back", "15som", "05Twis", "FREE"], ["Front", "35som", "NoTwis", "TUCK"]]


def _dive(video, label):
    return {"vid_name": video, "label": label, "start_frame": 0, "end_frame": 48}


def _diving(tree, *test):
    tree.text("Diving48_vocab.json", json.dumps(VOCABULARY))
    for version, label in (("", 0), ("V2_", 1)):
        train = [_dive("-mmq0PT-u8k_00155", label)]
        tree.text(f"Diving48_{version}train.json", json.dumps(train))
        tree.text(f"Diving48_{version}test.json", json.dumps(test))
    tree.videos("rgb/-mmq0PT-u8k_00155.mp4", "rgb/2x00lRzlTVQ_00000.mp4")


@pytest.mark.parametrize(("options", "label"), [({}, 1), ({"version": 2}, 1), ({"version": 1}, 0)])
def test_dives_have_the_labels_of_the_version_and_are_grouped_by_competition(tree, options, label):
    _diving(tree, _dive("2x00lRzlTVQ_00000", 1))
    manifest = Diving48.manifest_of(tree.request(**options))
    assert manifest.classes == ("Back+15som+05Twis+FREE", "Front+35som+NoTwis+TUCK")
    train, test = rows(manifest)
    name = manifest.classes[label]
    assert train == ("rgb/-mmq0PT-u8k_00155.mp4", name, "train", None, None, "-mmq0PT-u8k")
    assert test[0] == "rgb/2x00lRzlTVQ_00000.mp4"


@pytest.mark.parametrize("label", [2, -1, "0", None])
def test_a_dive_with_an_unknown_class_is_named(tree, label):
    _diving(tree, _dive("2x00lRzlTVQ_00000", label))
    with pytest.raises(ManifestError, match=f"V2_test.json, entry 1: label {label!r} is not one"):
        Diving48.manifest_of(tree.request())


def test_a_competition_in_both_splits_and_a_third_version_are_refused(tree):
    _diving(tree, _dive("-mmq0PT-u8k_00156", 0))
    tree.videos("rgb/-mmq0PT-u8k_00156.mp4")
    with pytest.raises(
        ManifestError, match="group '-mmq0PT-u8k' is in both training and evaluation"
    ):
        Diving48.manifest_of(tree.request())
    with pytest.raises(ManifestError, match="data.options.version = 3: must be 1 or 2"):
        Diving48.manifest_of(tree.request(version=3))
