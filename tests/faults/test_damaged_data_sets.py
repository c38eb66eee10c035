"""Tests prepared data sets with truncated, changed or missing files: errors name file and fix."""

import contextlib
import csv
import shutil

import numpy as np
import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.builders.cifar100 import CIFAR100
from vidjax.data.integrity import DamagedError
from vidjax.data.pipeline import Augmentation, ClipShape, train_batches
from vidjax.data.preparation_report import read_report, total
from vidjax.data.prepared import PreparedSplit
from vidjax.data.views import Views, view_batches
from vidjax.training.bad_videos import UNKNOWN, BadVideos, BadVideosError

SHAPE = ClipShape(frames=2, stride=1, size=16)
AUGMENTATION = Augmentation()


def request_of(root):
    storage = catalog.Storage(short_side=48, bad_video_budget=0.5)
    return catalog.Request(root / "data", storage=storage, manifest=str(root / "videos"), workers=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Prepares two classes of five videos each; a sixth file is not a video."""
    root = tmp_path_factory.mktemp("whole")
    for label in ("sit", "walk"):
        for number in range(5):
            write_video(root / "videos" / label / f"{number}.mp4", numbered_frames(6))
    (root / "videos/walk/broken.mp4").write_bytes(b"no video")
    catalog.prepare("video_folder", request_of(root))
    return root


@pytest.fixture
def root(whole, tmp_path):
    """Returns a copy that tests may damage."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def folder(root):
    (info,) = root.rglob("dataset_info.json")
    return info.parent


def shard(folder, split="train"):
    (file,) = folder.glob(f"*-{split}.array_record*")
    return file


def flip_a_video(folder, split="train"):
    """Flips a bit of one video; returns its index in the split."""
    file = shard(folder, split)
    content = file.read_bytes()
    places = np.flatnonzero(np.frombuffer(content, np.uint8))
    # Some bits affect no video, or all of them.
    for place in places[len(places) // 3 :: 97]:
        flipped = bytearray(content)
        flipped[place] ^= 4
        file.write_bytes(flipped)
        source = PreparedSplit(folder, split)
        damaged = [k for k in range(len(source)) if is_damaged(source[k])]
        if len(damaged) == 1:
            return damaged[0]
    raise AssertionError("no flipped bit damages one video alone")


def is_damaged(record):
    try:
        return not len(record.jpegs)
    except ValueError:
        return True


def test_a_video_with_a_flipped_bit_is_skipped_named_and_counted(whole, folder, capsys):
    place = flip_a_video(folder)
    (sound_folder,) = (info.parent for info in whole.rglob("dataset_info.json"))
    right = PreparedSplit(sound_folder, "train")[place]
    source = PreparedSplit(folder, "train")
    record = source[place]
    assert (record.name, record.label) == (right.name, right.label)
    with pytest.raises(
        ValueError, match=rf"{right.name} cannot be read: .*; remove .*to prepare the"
    ):
        record.decode([0])
    batches = train_batches(source, SHAPE, AUGMENTATION, batch_size=len(source), seed=0)
    bad = BadVideos(source.classes, 0.5)
    for epoch in range(3):
        batch = batches[epoch]
        assert batch["mask"].sum() == len(source) - 1
        assert set(batch["label"][~batch["mask"]]) == {right.label}
        bad.note(batch)
    assert bad.counts[source.classes[right.label]] == bad.unreadable == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"warning: {right.name} is skipped: {right.name} cannot be read: ")


def test_a_damaged_video_of_an_old_data_set_is_counted_without_a_class(folder):
    place = flip_a_video(folder)
    (folder / "videos.csv").unlink()
    source = PreparedSplit(folder, "train")
    assert source[place].name == f"record {place} of split 'train'"
    bad = BadVideos(source.classes, 0.1)
    batches = train_batches(source, SHAPE, AUGMENTATION, batch_size=len(source), seed=0)

    def go_on():
        for step in range(100):
            bad.note(batches[step])

    with pytest.raises(BadVideosError, match=r"per class: \{'\(unknown\)': \d+\}. Remove"):
        go_on()
    assert bad.counts[UNKNOWN] == bad.unreadable


def test_evaluation_skips_no_video(folder):
    flip_a_video(folder, "test")
    source = PreparedSplit(folder, "test")
    views = Views(clips=1, crops=1, shape=SHAPE, size=16)
    batches = view_batches(source, views, batch_size=1)
    with pytest.raises(ValueError, match="cannot be read: .* is damaged: .*; remove"):
        [batches[index] for index in range(len(batches))]


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def remove(file):
    file.unlink()


@pytest.mark.parametrize("recorded", [True, False], ids=["", "of an earlier version"])
@pytest.mark.parametrize("damage", [cut, empty, remove])
def test_a_truncated_or_missing_shard_is_named(root, folder, damage, recorded):
    if not recorded:
        (folder / "sizes.json").unlink()
    damage(shard(folder))
    name = shard(folder).name if damage is not remove else "video_folder-train.array_record"
    message = rf"{name}.*; remove {folder} and run the same command again"
    if not recorded and damage is not remove:
        message = rf"{folder} is damaged: .*; remove"
    with pytest.raises(ValueError, match=message):
        PreparedSplit(folder, "train")
    if recorded or damage is remove:
        with pytest.raises(ValueError, match=message):
            catalog.prepare("video_folder", request_of(root))
    shutil.rmtree(folder)
    assert catalog.prepare("video_folder", request_of(root)) == folder
    assert len(PreparedSplit(folder, "train")) == 8


@pytest.mark.parametrize("damage", [cut, empty, remove])
@pytest.mark.parametrize("name", ["dataset_info.json", "features.json", "metadata.json"])
def test_truncated_or_missing_metadata_is_named(root, folder, name, damage):
    damage(folder / name)
    message = rf"{folder} is damaged: {name} is .*; remove {folder} and run the same command"
    for open_it in (
        lambda: PreparedSplit(folder, "train"),
        lambda: catalog.prepare("video_folder", request_of(root)),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            open_it()
        assert "\n" not in str(caught.value)


def test_an_empty_folder_is_refused_as_data_set(root, folder):
    shutil.rmtree(folder)
    folder.mkdir()
    assert catalog.prepare("video_folder", request_of(root)) == folder
    assert len(PreparedSplit(folder, "train")) == 8


def test_image_data_sets_without_metadata_are_refused(tmp_path):
    folder = tmp_path / "cifar100/3.0.2"
    folder.mkdir(parents=True)
    (folder / "cifar100-train.array_record-00000-of-00001").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"is damaged: dataset_info.json is missing; remove"):
        CIFAR100.prepare(catalog.Request(tmp_path))


def cut_a_row(file):
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def scramble(file):
    file.write_bytes(file.read_bytes().replace(b",4,", b",\xff,"))


@pytest.mark.parametrize("damage", [cut, cut_a_row, empty, remove, scramble])
def test_a_damaged_report_is_written_again(root, folder, damage):
    right = (folder / "report.csv").read_text()
    damage(folder / "report.csv")
    assert catalog.prepare("video_folder", request_of(root)) == folder
    assert (folder / "report.csv").read_text() == right
    assert sum(each.prepared for each in total(read_report(folder))) == 10


def test_records_are_listed_in_order(folder):
    with (folder / "videos.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for name in ("train", "test"):
        split = PreparedSplit(folder, name)
        listed = [(row["video"], row["label"]) for row in rows if row["split"] == name]
        records = [split[index] for index in range(len(split))]
        assert listed == [(record.name, split.classes[record.label]) for record in records]


@pytest.mark.slow
def test_no_flipped_bit_of_a_data_set_changes_frames_unnoticed(folder):
    file = shard(folder)
    content = file.read_bytes()
    sound = PreparedSplit(folder, "train")
    right = {sound[k].name: list(sound[k].jpegs) for k in range(len(sound))}
    places = np.flatnonzero(np.frombuffer(content, np.uint8))
    rng = np.random.default_rng(0)
    for place in rng.choice(places, 300, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        file.write_bytes(flipped)
        for record in readable(folder):
            assert list(record.jpegs) == right[record.name]


def readable(folder):
    """Returns the undamaged records of the training split; none if it cannot be opened."""
    with contextlib.suppress(DamagedError):
        source = PreparedSplit(folder, "train")
        return [source[k] for k in range(len(source)) if not is_damaged(source[k])]
    return []
