"""Tests UCF-101, HMDB-51 and JHMDB-21."""

import pytest

from tests.data.builders.conftest import left_out, rows
from vidjax.data.builders.hmdb51 import HMDB51
from vidjax.data.builders.jhmdb21 import JHMDB21
from vidjax.data.builders.ucf101 import UCF101
from vidjax.data.manifest import ManifestError


@pytest.fixture
def ucf(tree):
    """Writes lists as published, with Windows line ends, for one split of a few clips."""
    tree.text(
        "ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n3 YoYo\r\n"
    )
    train = (
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n"
        "HandstandPushups/v_HandStandPushups_g25_c01.avi 2\r\n"
    )
    tree.text("ucfTrainTestlist/trainlist01.txt", train)
    tree.text("ucfTrainTestlist/testlist01.txt", "YoYo/v_YoYo_g01_c02.avi\r\n\r\n")
    tree.videos(
        "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
        "UCF-101/HandstandPushups/v_HandstandPushups_g25_c01.avi",
        "UCF-101/YoYo/v_YoYo_g01_c02.avi",
    )
    return tree


def test_ucf_lists_give_labels_splits_and_groups_whatever_the_spelling(ucf):
    manifest = UCF101.manifest_of(ucf.request())
    assert manifest.classes == ("ApplyEyeMakeup", "HandstandPushups", "YoYo")
    assert [(path, label, split, group) for path, label, split, _, _, group in rows(manifest)] == [
        (
            "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
            "ApplyEyeMakeup",
            "train",
            "ApplyEyeMakeup 08",
        ),
        (
            "UCF-101/HandstandPushups/v_HandstandPushups_g25_c01.avi",
            "HandstandPushups",
            "train",
            "HandstandPushups 25",
        ),
        ("UCF-101/YoYo/v_YoYo_g01_c02.avi", "YoYo", "test", "YoYo 01"),
    ]


@pytest.mark.parametrize(
    "place", ["{label}/v_{label}_g{group:02}_c01.avi", "UCF101/v_{label}_g{group:02}_c01.avi"]
)
@pytest.mark.parametrize(("split", "tested"), [(1, [7]), (2, [8, 14]), (3, [15, 21])])
def test_ucf_without_lists_is_split_by_its_groups(tree, place, split, tested):
    labels, groups = ("JumpingJack", "JumpRope"), (7, 8, 14, 15, 21, 22)
    tree.videos(*(place.format(label=label, group=group) for label in labels for group in groups))
    manifest = UCF101.manifest_of(tree.request(split=split))
    # In the order of the published list, which does not sort capitals first.
    assert manifest.classes == labels
    for part, expected in (("test", tested), ("train", sorted({*groups} - {*tested}))):
        found = [entry.group for entry in manifest.split(part)]
        names = [f"{label} {group:02}" for label in labels for group in expected]
        assert sorted(found) == sorted(names)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("classInd", "1 A\n3 B\n", "classes must be numbered 1, 2, ..."),
        ("trainlist01", "nothing", "trainlist01.txt, line 1: 'nothing' does not look like"),
        ("testlist01", "YoYo/v_YoYo_c02.avi\n", "line 1: 'v_YoYo_c02.avi' does not look like"),
        ("testlist01", "Golf/v_Golf_g01_c02.avi\n", "'Golf' is not in its list of 3 classes"),
        ("testlist01", "YoYo/v_YoYo_g26_c02.avi\n", "a group of g01 to g25"),
    ],
)
def test_errors_in_ucf_lists_are_named(ucf, file, content, message):
    ucf.text(f"ucfTrainTestlist/{file}.txt", content)
    with pytest.raises(ManifestError, match=message):
        UCF101.manifest_of(ucf.request())


def test_a_ucf_group_in_train_and_test_is_refused_unless_allowed(ucf):
    ucf.text("ucfTrainTestlist/testlist01.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c02.avi\n")
    ucf.videos("UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c02.avi")
    with pytest.raises(ManifestError, match="group 'ApplyEyeMakeup 08' is in both training and"):
        UCF101.manifest_of(ucf.request())
    UCF101.manifest_of(ucf.request(allow_group_leak=True))
    assert "ApplyEyeMakeup 08" in ucf.notes[0]
    assert "inflates the score" in ucf.notes[0]


@pytest.mark.parametrize("builder", [UCF101, HMDB51, JHMDB21])
def test_a_fourth_split_is_refused(ucf, builder):
    with pytest.raises(ManifestError, match="data.options.split = 4: must be 1, 2 or 3"):
        builder.manifest_of(ucf.request(split=4))


HAIR = "April_09_brush_hair_u_nm_np1_ba_goo_0"
BANK = "(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0"


def _hmdb(tree, lists, videos, split=1):
    tree.text(
        f"{lists}/brush_hair_test_split{split}.txt",
        f"{HAIR}.avi 1 \nOther_brush_hair_h_cm_np2_fr_bad_12.avi 0 \n",
    )
    tree.text(f"{lists}/cartwheel_test_split{split}.txt", f"{BANK}.avi 2 \n")
    tree.videos(
        f"{videos}brush_hair/{HAIR}.avi",
        f"{videos}brush_hair/Other_brush_hair_h_cm_np2_fr_bad_12.avi",
        f"{videos}cartwheel/{BANK}.avi",
    )


@pytest.mark.parametrize("videos", ["", "videos/", "hmdb51_org/"])
@pytest.mark.parametrize("lists", [".", "testTrainMulti_7030_splits"])
def test_hmdb_marks_give_the_split_and_file_names_the_source(tree, lists, videos):
    _hmdb(tree, lists, videos, split=3)
    manifest = HMDB51.manifest_of(tree.request(split=3))
    assert manifest.classes == ("brush_hair", "cartwheel")
    assert [(path, label, split, group) for path, label, split, _, _, group in rows(manifest)] == [
        (f"{videos}brush_hair/{HAIR}.avi", "brush_hair", "train", "brush_hair/April_09"),
        (
            f"{videos}cartwheel/{BANK}.avi",
            "cartwheel",
            "test",
            "cartwheel/(Rad)Schlag_die_Bank!",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{HAIR}.avi 3", "brush_hair_test_split1.txt, line 1: .* does not look like"),
        ("April_09_cartwheel_u_nm_np1_ba_goo_0.avi 1", "does not look like '<source>_brush_hair_"),
    ],
)
def test_errors_in_hmdb_lists_are_named(tree, line, message):
    _hmdb(tree, ".", "")
    tree.text("brush_hair_test_split1.txt", line)
    with pytest.raises(ManifestError, match=message):
        HMDB51.manifest_of(tree.request())


def test_an_hmdb_source_in_train_and_test_is_refused(tree):
    _hmdb(tree, ".", "")
    other = f"{HAIR[:-1]}1"
    tree.text("brush_hair_test_split1.txt", f"{HAIR}.avi 1\n{other}.avi 2\n")
    tree.videos(f"brush_hair/{other}.avi")
    with pytest.raises(ManifestError, match="group 'brush_hair/April_09' is in both training and"):
        HMDB51.manifest_of(tree.request())


def test_jhmdb_official_lists_have_only_the_marks_1_and_2(tree):
    tree.text("splits/brush_hair_test_split1.txt", f"{HAIR}.avi 1\n")
    tree.text("splits/cartwheel_test_split1.txt", f"{BANK}.avi 2\n")
    tree.videos(f"ReCompress_Videos/brush_hair/{HAIR}.avi")
    manifest = JHMDB21.manifest_of(tree.request())
    assert rows(manifest)[0][:3] == (
        f"ReCompress_Videos/brush_hair/{HAIR}.avi",
        "brush_hair",
        "train",
    )
    assert left_out(manifest) == [(f"cartwheel/{BANK}.avi", "missing")]
    tree.text("splits/brush_hair_test_split1.txt", f"{HAIR}.avi 0\n")
    with pytest.raises(ManifestError, match="line 1: .* does not look like"):
        JHMDB21.manifest_of(tree.request())


FOLDS = "file,label,group,split,fold,dataset,origin\n" + "".join(
    f"jhmdb/{label}/{source}_{label}.mp4,{label},{label}/{source},train,{fold},jhmdb,x\n"
    for label, source, fold in [("run", "film", 0), ("walk", "film", 0), ("run", "web", 1)]
)


def _folds(tree):
    tree.text("manifest.csv", FOLDS + "misc/other.mp4,,,fixture,,misc,x\n")
    tree.videos("jhmdb/run/film_run.mp4", "jhmdb/walk/film_walk.mp4", "jhmdb/run/web_run.mp4")


@pytest.mark.parametrize(("place", "before"), [("", "jhmdb/"), ("jhmdb", "")])
def test_jhmdb_folds_are_read_from_a_manifest_in_the_folder_or_above(tree, place, before):
    _folds(tree)
    manifest = JHMDB21.manifest_of(tree.request(place=place, fold=1))
    assert rows(manifest) == [
        (f"{before}run/film_run.mp4", "run", "train", None, None, "film"),
        (f"{before}walk/film_walk.mp4", "walk", "train", None, None, "film"),
        (f"{before}run/web_run.mp4", "run", "test", None, None, "web"),
    ]
    first = JHMDB21.manifest_of(tree.request(place=place))
    assert [entry.split for entry in first.entries] == ["test", "test", "train"]


def test_a_jhmdb_fold_that_shares_a_source_between_classes_is_refused(tree):
    _folds(tree)
    tree.text("manifest.csv", FOLDS.replace("walk/film,train,0", "walk/film,train,1"))
    with pytest.raises(ManifestError, match="group 'film' is in both training and evaluation"):
        JHMDB21.manifest_of(tree.request())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 5}, r"data.options.fold = 5: .*manifest.csv has the folds \['0', '1'\]"),
        ({"fold": 1, "split": 1}, "both a split and a fold"),
        ({"split": 2}, r"contains no \*_test_split2.txt"),
        ({"part": 1}, "data.options.part is unknown to jhmdb21; its options: 'split', 'fold'"),
    ],
)
def test_invalid_jhmdb_options_are_named(tree, options, message):
    _folds(tree)
    with pytest.raises(ManifestError, match=message):
        JHMDB21.manifest_of(tree.request(**options))


def test_missing_jhmdb_lists_and_manifest_are_named(tree):
    tree.videos("run/film_run.mp4")
    with pytest.raises(ManifestError, match="contains no .*splits"):
        JHMDB21.manifest_of(tree.request())
    with pytest.raises(ManifestError, match="no manifest.csv in"):
        JHMDB21.manifest_of(tree.request(fold=0))
