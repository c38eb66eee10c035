"""Tests data sets whose videos have several labels, from the CSV to the batch."""

import dataclasses
import hashlib
import shutil

import numpy as np
import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.builders.prepared_videos import PreparationError
from vidjax.data.class_matching import Relabelled
from vidjax.data.dataset_errors import DamagedError
from vidjax.data.manifest import ManifestError, read_manifest
from vidjax.data.multi_label_text import join_labels, split_labels
from vidjax.data.pipeline import Augmentation, ClipShape, batch_shapes, prefetch, train_batches
from vidjax.data.preparation_report import read_report
from vidjax.data.prepared import PreparedSplit
from vidjax.data.targets import Targets, label_text
from vidjax.data.video_list import list_videos
from vidjax.data.views import Views, view_batches

ROWS = {
    "a.mp4": ("walk; carry", "train"),
    "b.mp4": ("walk", "train"),
    "c.mp4": ("(none)", "train"),
    "d.mp4": ("sit;carry;walk", "train"),
    "e.mp4": ("carry", "test"),
    "f.mp4": ("(none)", "test"),
}
WITH = {
    "a.mp4": {"walk", "carry"},
    "b.mp4": {"walk"},
    "c.mp4": set(),
    "d.mp4": {"sit", "carry", "walk"},
    "e.mp4": {"carry"},
    "f.mp4": set(),
}
CLASSES = ("carry", "sit", "walk")
SHAPE = ClipShape(frames=2, stride=1, size=16)


def listing(folder, rows=ROWS, head="path,labels,split"):
    table = folder / "videos.csv"
    table.write_text("\n".join([head, *(f"{name},{','.join(row)}" for name, row in rows.items())]))
    return table


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    for number, name in enumerate(ROWS):
        write_video(root / name, numbered_frames(4 + number, 32, 40))
    listing(root)
    return root


def request(videos, **changes):
    asked = catalog.Request(
        data_dir=videos / "data",
        manifest=str(videos / "videos.csv"),
        storage=catalog.Storage(short_side=32),
        workers=1,
        multi_label=True,
        note=lambda line: None,
    )
    return dataclasses.replace(asked, **changes)


@pytest.fixture(scope="module")
def prepared(videos):
    return catalog.prepare("video_folder", request(videos))


@pytest.fixture
def files(tmp_path):
    for name in ROWS:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_the_text_of_several_labels_does_not_depend_on_their_order():
    assert join_labels(["walk", "carry", "walk"]) == "carry;walk"
    assert split_labels(join_labels(["walk", "carry"])) == ("carry", "walk")
    assert (join_labels([]), split_labels("(none)"), split_labels("")) == ("(none)", (), ())


def test_a_table_names_the_labels_of_each_video(files):
    manifest = read_manifest(listing(files), multi_label=True)
    assert manifest.classes == CLASSES
    assert {entry.path: set(manifest.labels_of(entry)) for entry in manifest.entries} == WITH


def test_spellings_of_a_label_are_one_class_with_a_note(files):
    rows = ROWS | {"b.mp4": ("cafe\u0301;walk", "train"), "c.mp4": ("caf\u00e9", "train")}
    manifest = read_manifest(listing(files, rows), multi_label=True)
    assert "caf\u00e9" in manifest.classes
    assert len(manifest.classes) == 4
    assert any("several Unicode forms" in note for note in manifest.notes)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("walk;;carry", "has an empty label; write (none)"),
        ("walk;", "has an empty label"),
        (";", "has an empty label"),
        ("walk;(none)", "has (none) beside other labels"),
        ('"walk,carry"', "has a comma; separate labels by ';'"),
        ("walk; walk", "has 'walk' twice"),
        ("cafe\u0301;caf\u00e9", "has 'caf\u00e9' twice"),
        ("", "'labels' is empty"),
    ],
)
def test_cells_that_could_be_misread_are_refused_by_line(files, cell, why):
    table = listing(files, ROWS | {"b.mp4": (cell, "train")})
    with pytest.raises(ManifestError) as caught:
        read_manifest(table, multi_label=True)
    assert f"{table}, line 3: " in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "several", "why"),
    [
        ("path,label,split", True, "has the column 'label', but not 'labels'"),
        ("path,labels,split", False, "set data.multi_label=True if"),
        ("path,tags,split", True, "lacks the column 'labels'"),
    ],
)
def test_the_column_and_the_setting_must_agree(files, head, several, why):
    with pytest.raises(ManifestError, match="videos.csv") as caught:
        read_manifest(listing(files, head=head), multi_label=several)
    assert why in str(caught.value)


def test_two_columns_of_labels_are_refused(files):
    rows = {name: (label, "walk", split) for name, (label, split) in ROWS.items()}
    table = listing(files, rows, "path,labels,label,split")
    for read in (lambda: read_manifest(table, multi_label=True), lambda: list_videos(table)):
        with pytest.raises(ManifestError, match="'label'.*'labels'"):
            read()


def test_a_row_for_each_label_is_refused_with_the_correct_format(files):
    table = listing(files)
    table.write_text(f"{table.read_text()}\na.mp4,sit,train\n")
    with pytest.raises(ManifestError, match="rows 2 and 8; write all its labels in one of them"):
        read_manifest(table, multi_label=True)


def test_a_folder_and_a_split_without_labels_are_refused(files):
    with pytest.raises(ManifestError, match="is a folder, whose videos have one label each"):
        read_manifest(files, multi_label=True)
    table = listing(files, ROWS | {"e.mp4": ("(none)", "test")})
    with pytest.raises(ManifestError, match="no video of split 'test' has a label"):
        read_manifest(table, multi_label=True)


def test_a_label_that_no_training_video_has_is_refused(files):
    table = listing(files, ROWS | {"e.mp4": ("carry;fly", "test")})
    with pytest.raises(ManifestError, match="no training video has the label 'fly'"):
        read_manifest(table, multi_label=True)


def test_one_label_that_looks_like_several_stays_one_with_a_note(files):
    rows = dict.fromkeys(ROWS, ("walk;carry", "train"))
    manifest = read_manifest(listing(files, rows, "path,label,split"))
    assert manifest.classes == ("walk;carry",)
    assert any("'walk;carry' is read as one class" in note for note in manifest.notes)
    several = read_manifest(listing(files, rows), multi_label=True)
    assert several.digest != manifest.digest


def test_the_digest_of_single_label_data_sets_is_unchanged(files):
    rows = dict.fromkeys(ROWS, ("walk", "train"))
    manifest = read_manifest(listing(files, rows, "path,label,split"))
    lines = sorted(
        f"Entry(path='{name}', label='walk', split='train', start=None, end=None, group='')"
        for name in ROWS
    )
    assert manifest.digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_prepared_data_set_returns_the_labels_of_each_video(prepared):
    found = {}
    for name in ("train", "test"):
        split = PreparedSplit(prepared, name)
        assert (split.classes, split.multi_label) == (CLASSES, True)
        records = (split[index] for index in range(len(split)))
        found |= {one.name: {CLASSES[place] for place in one.label} for one in records}
    assert found == WITH


def test_the_report_counts_videos_not_labels(prepared):
    counts = read_report(prepared)
    assert sum(each.prepared for each in counts) == len(ROWS)
    assert {each.label for each in counts if each.split == "test"} == {"carry", "(none)"}


def test_several_labels_and_one_never_share_a_folder(videos, prepared, tmp_path):
    """Even if all texts are the same, because each row has one label."""
    rows = {name: ("walk", split) for name, (_, split) in ROWS.items()}
    shutil.copytree(videos, tmp_path / "videos", ignore=shutil.ignore_patterns("data"))
    folders = []
    for head, several in (("path,label,split", False), ("path,labels,split", True)):
        listing(tmp_path / "videos", rows, head)
        asked = request(tmp_path / "videos", multi_label=several)
        folders.append(catalog.prepare("video_folder", asked))
        # A second call prepares nothing.
        assert (
            catalog.prepare("video_folder", dataclasses.replace(asked, unprepared="no"))
            == (folders[-1])
        )
    assert folders[0] != folders[1]
    one, several = (PreparedSplit(folder, "train")[0].label for folder in folders)
    assert (one, several) == (0, (0,))


def test_a_single_label_data_set_is_refused_if_several_labels_are_requested(tmp_path):
    asked = catalog.Request(
        tmp_path,
        options={"train_per_class": 1, "test_per_class": 1, "classes": ["walk", "run"]},
        multi_label=True,
    )
    with pytest.raises(PreparationError, match="has one label; set data.multi_label=False"):
        catalog.prepare("marionette", asked)


def test_class_names_have_checksums_and_a_damaged_video_keeps_its_labels(prepared, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(prepared, folder)
    (shard,) = folder.glob("*train*array_record*")
    content = bytearray(shard.read_bytes())
    content[content.index(b"\xff\xd8\xff") + 40] ^= 0xFF
    shard.write_bytes(content)
    split = PreparedSplit(folder, "train")
    records = [split[index] for index in range(len(split))]
    with pytest.raises(ValueError, match="cannot be read"):
        [len(record.jpegs) for record in records]
    assert {record.name: record.label for record in records} == {
        name: tuple(CLASSES.index(label) for label in sorted(WITH[name]))
        for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4")
    }
    names = folder / "labels.labels.txt"
    names.write_text(names.read_text().replace("walk", "talk"))
    with pytest.raises(DamagedError, match="labels.labels.txt is truncated or changed"):
        PreparedSplit(folder, "train")


def test_batches_hold_a_yes_or_no_for_each_class(prepared):
    split = PreparedSplit(prepared, "train")
    batches = train_batches(split, SHAPE, Augmentation(flip=0), batch_size=4, seed=3)
    batch = batches[0]
    shapes = batch_shapes(SHAPE, Augmentation(flip=0), 4, Targets.of(split))
    assert {name: (rows.shape, rows.dtype) for name, rows in batch.items()} == shapes
    assert shapes["label"] == ((4, 3), np.float32)
    rows = sorted(tuple(row) for row in batch["label"].tolist())
    expected = [[float(name in WITH[file]) for name in CLASSES] for file in list(ROWS)[:4]]
    assert rows == sorted(map(tuple, expected))
    # Two processes get its halves, and a resumed run continues at the same batch.
    halves = [
        train_batches(
            split, SHAPE, Augmentation(flip=0), batch_size=4, seed=3,
            process_index=index, process_count=2,
        )[0]
        for index in range(2)
    ]  # fmt: skip
    np.testing.assert_array_equal(
        np.concatenate([half["label"] for half in halves]), batch["label"]
    )
    first, second = prefetch(batches, 1), prefetch(batches, 1)
    next(first)
    second.set_state(first.get_state())
    np.testing.assert_array_equal(next(second)["label"], batches[1]["label"])


def test_views_have_the_same_labels_and_padding_has_none(prepared):
    split = PreparedSplit(prepared, "test")
    (batch,) = view_batches(split, Views(1, 1, 16, SHAPE), batch_size=3)
    assert batch["label"].dtype == np.float32
    assert batch["mask"].tolist() == [True, True, False]
    assert batch["label"][2].tolist() == [0, 0, 0]
    for row, index in zip(batch["label"], batch["video"], strict=True):
        names = {name for name, there in zip(CLASSES, row, strict=True) if there}
        assert names == (WITH[split[int(index)].name] if row.any() else set())


def test_classes_are_matched_by_name_and_two_labels_may_be_one_class(prepared):
    split = PreparedSplit(prepared, "train")
    network = ("sit", "move", "lie")
    seen = Relabelled(split, network, {"walk": "move", "carry": "move"})
    assert seen.multi_label
    labels = {seen[index].name: seen[index].label for index in range(len(seen))}
    assert labels == {"a.mp4": (1,), "b.mp4": (1,), "c.mp4": (), "d.mp4": (0, 1)}
    assert label_text(labels["d.mp4"], network) == "move;sit"
    assert Targets.of(seen).array(labels["d.mp4"]).tolist() == [1, 1, 0]


def test_videos_without_splits_may_have_several_labels_or_unknown_ones(files):
    rows = {"a.mp4": ("walk; carry",), "b.mp4": ("(none)",), "c.mp4": ("",)}
    found = list_videos(listing(files, rows, "path,labels"))
    assert [entry.label for entry in found.entries] == ["carry;walk", "(none)", ""]
    assert [found.labels_of(entry) for entry in found.entries] == [("carry", "walk"), (), ()]
    assert found.classes == ("carry", "walk")
