"""Tests HACS Clips, EPIC-Kitchens-55 and EGTEA Gaze+."""

import pytest

from tests.data.builders.conftest import left_out, rows
from vidjax.data.builders.egtea_gaze_plus import EGTEAGazePlus
from vidjax.data.builders.epic_kitchens55 import EpicKitchens55
from vidjax.data.builders.hacs import HACS
from vidjax.data.manifest import ManifestError

HACS_HEADER = "classname,youtube_id,subset,start,end,label\n"
HACS_ROWS = (
    "Ironing clothes,a2X2hz1G6i8,training,15.5,17.5,1\n"
    "Archery,a2X2hz1G6i8,training,15.5,17.5,-1\n"
    "Archery,-NUdji_CqvQ,training,77.5,79.5,-1\n"
    "Archery,-NUdji_CqvQ,training,70.0,72.0,1\n"
    "Archery,gone_-gone_,validation,0.0,2.0,1\n"
    "Archery,a2X2hz1G6ii,validation,0.0,2.0,1\n"
    "Archery,testtesttes,testing,0.0,2.0,\n"
)


def _hacs(tree, lines=HACS_ROWS):
    tree.text("HACS_v1.1.1/HACS_clips_v1.1.1.csv", HACS_HEADER + lines)
    tree.videos("Ironing_clothes/v_a2X2hz1G6i8.mp4", "Archery/v_-NUdji_CqvQ.mp4", "a2X2hz1G6ii.mkv")


def test_hacs_clips_are_the_segments_that_show_their_class(tree):
    _hacs(tree)
    manifest = HACS.manifest_of(tree.request())
    assert manifest.classes == ("Archery", "Ironing clothes")
    ironing, archery = "Ironing_clothes/v_a2X2hz1G6i8.mp4", "Archery/v_-NUdji_CqvQ.mp4"
    assert rows(manifest) == [
        (ironing, "Ironing clothes", "train", 15.5, 17.5, "a2X2hz1G6i8"),
        (archery, "Archery", "train", 70.0, 72.0, "-NUdji_CqvQ"),
        ("a2X2hz1G6ii.mkv", "Archery", "val", 0.0, 2.0, "a2X2hz1G6ii"),
    ]
    assert left_out(manifest) == [("Archery/v_gone_-gone_.mp4", "missing")]


def test_hacs_negatives_can_be_a_class(tree):
    _hacs(tree)
    manifest = HACS.manifest_of(tree.request(negatives=True))
    assert manifest.classes == ("Archery", "Ironing clothes", "none of them")
    assert [(e.start, e.label) for e in manifest.split("train")] == [
        (15.5, "Ironing clothes"),
        (70.0, "Archery"),
        (77.5, "none of them"),
    ]
    reason = "listed twice, first as 'Ironing clothes'"
    assert ("Ironing_clothes/v_a2X2hz1G6i8.mp4", reason) in left_out(manifest)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Archery,a2X2hz1G6i8,training,15.5,x,1\n", "line 2: end 'x' is not a number"),
        ("Archery,a2X2hz1G6i8,training,15.5,17.5,0\n", "line 2: label '0' must be 1 or -1"),
        ("Archery,a2X2hz1G6i8,some,15.5,17.5,1\n", "line 2: subset 'some'"),
        ("Archery,a2X2hz1G6i8,training,15.5\n", "line 2: fewer fields"),
    ],
)
def test_errors_in_hacs_rows_are_named(tree, line, message):
    _hacs(tree, line)
    with pytest.raises(ManifestError, match=message):
        HACS.manifest_of(tree.request())


def test_a_segment_that_ends_before_its_start_is_excluded_by_name(tree):
    _hacs(
        tree,
        "Archery,-NUdji_CqvQ,training,9,7,1\nArchery,-NUdji_CqvQ,training,-1,1,1\n"
        "Archery,-NUdji_CqvQ,training,7,9,1\n",
    )
    manifest = HACS.manifest_of(tree.request())
    assert [(entry.start, entry.end) for entry in manifest.entries] == [(7, 9)]
    assert [reason for _, reason in left_out(manifest)] == [
        "its segment goes from 9 s to 7 s",
        "its segment starts at -1 s",
    ]


EPIC_HEADER = (
    "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)
EPIC_ROWS = (
    "0,P01,P01_01,open door,00:00:00.14,00:00:03.37,8,202,open,2,door,1,['door'],[1]\n"
    "45,P25,P25_02,put pan,00:04:10.05,00:04:17.87,15003,15472,put,0,pan,0,"
    "\"['pan', 'door']\",\"[0, 1]\"\n"
    "46,P26,P26_01,open pan,00:00:01.00,00:00:02.50,60,150,open,2,pan,0,['pan'],[0]\n"
)


def _epic(tree, lines=EPIC_ROWS, place="epic-kitchens-55-annotations/"):
    tree.text(f"{place}EPIC_train_action_labels.csv", EPIC_HEADER + lines)
    verbs = (
        "verb_id,class_key,verbs\n0,put,\"['put', 'place']\"\n1,take,['take']\n2,open,['open']\n"
    )
    tree.text(f"{place}EPIC_verb_classes.csv", verbs)
    tree.text(
        f"{place}EPIC_noun_classes.csv", "noun_id,class_key,nouns\n0,pan,['pan']\n1,door,['door']\n"
    )
    tree.videos(
        *(
            f"EPIC_KITCHENS_2018/videos/train/{name[:3]}/{name}.MP4"
            for name in ("P01_01", "P25_02", "P26_01")
        )
    )


@pytest.mark.parametrize(
    ("options", "classes", "labels"),
    [
        ({}, ("put", "take", "open"), ["open", "put", "open"]),
        ({"target": "noun"}, ("pan", "door"), ["door", "pan", "pan"]),
        (
            {"target": "action"},
            ("put pan", "open pan", "open door"),
            ["open door", "put pan", "open pan"],
        ),
    ],
)
def test_epic_labels_follow_the_target_and_participants_divide_the_splits(
    tree, options, classes, labels
):
    _epic(tree)
    manifest = EpicKitchens55.manifest_of(tree.request(**options))
    assert manifest.classes == classes
    assert [entry.label for entry in manifest.entries] == labels
    assert [(e.split, e.start, e.end, e.group) for e in manifest.entries] == [
        ("train", 0.14, 3.37, "P01"),
        ("train", 250.05, 257.87, "P25"),
        ("val", 1.0, 2.5, "P26"),
    ]
    assert manifest.entries[0].path == "EPIC_KITCHENS_2018/videos/train/P01/P01_01.MP4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("open,2,", "open,3,"), "line 2: verb_class 3 is not in the list of 3"),
        (("door,1,", "door,-1,"), "line 2: noun_class -1 is not in the list of 2"),
        (("00:00:03.37", "3 s"), "line 2: stop_timestamp '3 s' is not a number"),
        (("0,P01,", "0,A01,"), "line 2: participant_id 'A01' does not look like 'P01'"),
        ((",8,202,open,2,door,1,['door'],[1]", ""), "line 2: fewer fields"),
    ],
)
def test_errors_in_epic_rows_are_named(tree, change, message):
    _epic(tree, EPIC_ROWS.replace(*change, 1), place="")
    with pytest.raises(ManifestError, match=message):
        EpicKitchens55.manifest_of(tree.request())


def test_an_unknown_epic_target_is_named(tree):
    _epic(tree)
    with pytest.raises(
        ManifestError, match="data.options.target = 'verbs': must be verb, noun, action"
    ):
        EpicKitchens55.manifest_of(tree.request(target="verbs"))


READ = "P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088"
TAKE = "OP01-R01-PastaSalad-66680-68130-F001597-F001639"
AGAIN = "P21-R04-ContinentalBreakfast-391175-394945-F008979-F009088"


def _egtea(tree, test=f"{TAKE} 2 2 1 3\n"):
    tree.text("action_annotation/action_idx.txt", "Inspect/Read recipe 1\nTake eating_utensil 2\n")
    tree.text("action_annotation/train_split1.txt", f"{READ} 1 1 1\n")
    tree.text("action_annotation/test_split1.txt", test)
    for clip in (READ, TAKE, AGAIN):
        session = "-".join(clip.split("-")[:3])
        tree.videos(f"cropped_clips/{session}/{clip}.mp4")


def test_egtea_actions_count_from_one_and_sessions_are_groups(tree):
    _egtea(tree)
    manifest = EGTEAGazePlus.manifest_of(tree.request())
    assert manifest.classes == ("Inspect/Read recipe", "Take eating_utensil")
    session = "P21-R04-ContinentalBreakfast"
    assert rows(manifest) == [
        (
            f"cropped_clips/{session}/{READ}.mp4",
            "Inspect/Read recipe",
            "train",
            None,
            None,
            session,
        ),
        (
            f"cropped_clips/OP01-R01-PastaSalad/{TAKE}.mp4",
            "Take eating_utensil",
            "test",
            None,
            None,
            "OP01-R01-PastaSalad",
        ),
    ]
    assert tree.notes == []


def test_egtea_sessions_in_train_and_test_cause_a_warning(tree):
    _egtea(tree, f"{AGAIN} 1 1 1\n")
    assert len(EGTEAGazePlus.manifest_of(tree.request()).entries) == 2
    assert "'P21-R04-ContinentalBreakfast' is in both training and evaluation" in tree.notes[0]
    assert "divide each class, not the sessions" in tree.notes[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{TAKE} 3 1 1", "test_split1.txt, line 1: action 3 is not in the list of 2"),
        (f"{TAKE} 0 1 1", "line 1: action 0 is not in the list"),
        (f"{TAKE}", "line 1: .* does not look like"),
    ],
)
def test_errors_in_egtea_lists_are_named(tree, line, message):
    _egtea(tree, line)
    with pytest.raises(ManifestError, match=message):
        EGTEAGazePlus.manifest_of(tree.request())
    with pytest.raises(ManifestError, match="data.options.split = 0: must be 1, 2 or 3"):
        EGTEAGazePlus.manifest_of(tree.request(split=0))
