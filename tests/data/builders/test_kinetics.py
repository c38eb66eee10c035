import pytest

from tests.data.builders.conftest import left_out, rows
from vidjax.data.builders.kinetics400 import Kinetics400
from vidjax.data.builders.kinetics700 import Kinetics700
from vidjax.data.builders.kinetics700_2020 import Kinetics7002020
from vidjax.data.builders.mini_kinetics200 import MiniKinetics200
from vidjax.data.manifest import ManifestError

HEADER = "label,youtube_id,time_start,time_end,split\n"
TRAIN = (
    HEADER + "testifying,---QUuC4vJs,84,94,train\n"
    '"massaging person\'s head",_dbcJuKJQNs,40,50,train\n'
    "air drumming,0wR5jVB-WPk,417.0,427.0,train\n"
)
VAL = HEADER + "air drumming,-3ouPhoy2A_,20,30,validate\n"
UNLABELLED = "youtube_id,time_start,time_end,split\nabcdefghijk,0,10,test\n"


@pytest.fixture
def k400(tree):
    tree.text("annotations/train.csv", TRAIN)
    tree.text("annotations/val.csv", VAL)
    tree.text("annotations/test.csv", UNLABELLED)
    tree.videos(
        "train/---QUuC4vJs_000084_000094.mp4",
        "train/_dbcJuKJQNs_000040_000050.mp4",
        "train/0wR5jVB-WPk_000417_000427.mp4",
        "val/-3ouPhoy2A__000020_000030.mp4",
        "test/abcdefghijk_000000_000010.mp4",
    )
    return tree


def test_flat_folders_and_labels_in_the_order_of_their_names(k400):
    manifest = Kinetics400.manifest_of(k400.request())
    assert manifest.classes == ("air drumming", "massaging person's head", "testifying")
    whole = (None, None)
    assert rows(manifest) == [
        ("train/---QUuC4vJs_000084_000094.mp4", "testifying", "train", *whole, "---QUuC4vJs"),
        (
            "train/_dbcJuKJQNs_000040_000050.mp4",
            "massaging person's head",
            "train",
            *whole,
            "_dbcJuKJQNs",
        ),
        ("train/0wR5jVB-WPk_000417_000427.mp4", "air drumming", "train", *whole, "0wR5jVB-WPk"),
        ("val/-3ouPhoy2A__000020_000030.mp4", "air drumming", "val", *whole, "-3ouPhoy2A_"),
    ]
    assert manifest.excluded == ()


@pytest.mark.parametrize("builder", [Kinetics700, Kinetics7002020])
def test_class_folders_a_folder_in_the_archive_and_files_named_by_id(tree, builder):
    tree.text("kinetics700/train.csv", TRAIN)
    tree.text("kinetics700/validate.csv", VAL)
    tree.videos(
        "train/testifying/---QUuC4vJs_000084_000094.mp4",
        "train/testifying/._---QUuC4vJs_000084_000094.mp4",
        "train/massaging_person's_head/_dbcJuKJQNs.mkv",
        "val/-3ouPhoy2A__000020_000030.mp4",
    )
    manifest = builder.manifest_of(tree.request())
    assert [entry.path for entry in manifest.entries] == [
        "train/testifying/---QUuC4vJs_000084_000094.mp4",
        "train/massaging_person's_head/_dbcJuKJQNs.mkv",
        "val/-3ouPhoy2A__000020_000030.mp4",
    ]
    assert left_out(manifest) == [("train/0wR5jVB-WPk_000417_000427.mp4", "missing")]


def test_a_replacement_is_preferred_to_the_broken_file(k400):
    good = "replacement/replacement_for_corrupted_k400/---QUuC4vJs_000084_000094.mp4"
    k400.videos(good)
    assert Kinetics400.manifest_of(k400.request()).entries[0].path == good


def test_a_labelled_test_split_is_used_and_an_old_column_is_ignored(k400):
    test = HEADER.replace("split", "split,is_cc") + "testifying,abcdefghijk,0,10,test,1\n"
    k400.text("annotations/test.csv", test)
    manifest = Kinetics400.manifest_of(k400.request())
    assert rows(manifest)[-1][:3] == ("test/abcdefghijk_000000_000010.mp4", "testifying", "test")


def test_duplicates_and_videos_with_two_labels_are_named(k400):
    again = "testifying,---QUuC4vJs,84,94,train\nair drumming,---QUuC4vJs,84,94,train\n"
    k400.text("annotations/train.csv", TRAIN + again)
    manifest = Kinetics400.manifest_of(k400.request())
    assert left_out(manifest) == [
        ("train/---QUuC4vJs_000084_000094.mp4", "listed twice"),
        ("train/---QUuC4vJs_000084_000094.mp4", "listed twice, first as 'testifying'"),
    ]
    assert len(manifest.entries) == 4


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train", TRAIN.replace("time_start", "start"), "train.csv lacks the column 'time_start'"),
        ("train", TRAIN + "x,---QUuC4vJs\n", "train.csv, line 5: fewer fields"),
        ("train", TRAIN + "x,---QUuC4vJs,a,10,train\n", "line 5: time_start 'a' is not a number"),
        (
            "train",
            TRAIN + "x,short,0,10,train\n",
            "line 5: .*'short': a row needs a label and an id of 11 characters",
        ),
        ("val", VAL + "x,abcdefghijk,0,10,val\n", "'x' is not in its list of 3 classes"),
        (
            "val",
            VAL.replace("validate", "train"),
            "line 2: split 'train' in the CSV of split 'val'",
        ),
    ],
)
def test_errors_in_a_list_are_named(k400, file, content, message):
    k400.text(f"annotations/{file}.csv", content)
    with pytest.raises(ManifestError, match=message):
        Kinetics400.manifest_of(k400.request())


def test_a_missing_list_is_named(tree):
    tree.text("annotations/train.csv", TRAIN)
    with pytest.raises(ManifestError, match=r"contains no val.csv or annotations/val.csv"):
        Kinetics400.manifest_of(tree.request())


def test_a_source_video_in_train_and_test_is_refused_unless_allowed(k400):
    k400.text("annotations/val.csv", VAL + "testifying,---QUuC4vJs,184,194,val\n")
    k400.videos("val/---QUuC4vJs_000184_000194.mp4")
    with pytest.raises(
        ManifestError, match="group '---QUuC4vJs' is in both training and evaluation"
    ):
        Kinetics400.manifest_of(k400.request())
    assert len(Kinetics400.manifest_of(k400.request(allow_group_leak=True)).entries) == 5
    assert "warning: kinetics400: group '---QUuC4vJs'" in k400.notes[0]


def test_mini_kinetics_joins_its_ids_with_the_lists_of_kinetics_400(k400):
    k400.text("Mini/train_ytid_list.txt", "---QUuC4vJs\n0wR5jVB-WPk\nvanished-id\n0wR5jVB-WPk\n")
    k400.text("Mini/val_ytid_list.txt", "-3ouPhoy2A_\n")
    manifest = MiniKinetics200.manifest_of(k400.request())
    assert manifest.classes == ("air drumming", "testifying")
    assert [row[:3] for row in rows(manifest)] == [
        ("train/---QUuC4vJs_000084_000094.mp4", "testifying", "train"),
        ("train/0wR5jVB-WPk_000417_000427.mp4", "air drumming", "train"),
        ("val/-3ouPhoy2A__000020_000030.mp4", "air drumming", "val"),
    ]
    assert left_out(manifest) == [
        ("vanished-id", "vanished-id is not in the train list of Kinetics-400"),
        ("train/0wR5jVB-WPk_000417_000427.mp4", "listed twice"),
    ]


def test_mini_kinetics_names_a_line_that_is_not_an_id(k400):
    k400.text("train_ytid_list.txt", "---QUuC4vJs\ntestifying 1\n")
    k400.text("val_ytid_list.txt", "-3ouPhoy2A_\n")
    with pytest.raises(ManifestError, match="train_ytid_list.txt, line 2: 'testifying 1' does not"):
        MiniKinetics200.manifest_of(k400.request())
