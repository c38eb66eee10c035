import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests.data.conftest import LENGTHS
from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data import catalog, shard_writer
from vidjax.data.builders.prepared_videos import PreparationError
from vidjax.data.prepared import PreparedSplit


def test_every_readable_video_occurs_once_with_its_label(train_split):
    records = [train_split[index] for index in range(len(train_split))]
    assert train_split.classes == ("left", "right")
    found = sorted((train_split.classes[r.label], len(r.jpegs)) for r in records)
    assert found == sorted((label, n) for label in ("left", "right") for n in LENGTHS["train"])
    assert {record.fps for record in records} == {25.0}
    assert len({record.name for record in records}) == len(records)


def test_a_broken_file_is_skipped_and_listed(train_split, test_split):
    (row,) = train_split.broken
    assert row["video"] == "train/broken.mp4"
    assert "not a readable video" in row["error"]
    assert list(test_split.broken) == []


def test_only_the_requested_frames_are_decoded_and_minus_one_is_black(train_split):
    record = max((train_split[k] for k in range(len(train_split))), key=lambda r: len(r.jpegs))
    untouched = record.__class__([b"" for _ in record.jpegs], 0, "x", 25.0)
    untouched.jpegs[3] = record.jpegs[3]
    frames = untouched.decode(np.array([3, -1, 3]))
    assert read_numbers(frames[::2]) == [3, 3]
    assert not frames[1].any()


def test_any_tfds_user_can_read_it(prepared_directory):
    code = (
        "import tensorflow_datasets as tfds, sys\n"
        f"builder = tfds.builder_from_directory({str(prepared_directory)!r})\n"
        "example = builder.as_data_source(split='test')[0]\n"
        "print(example['frames'][0].shape, 'tensorflow' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "(48, 64, 3) False"


@pytest.mark.parametrize("splits", [("",), ("train/", "test/")])
def test_splits_that_are_drawn_are_noted_once(tmp_path, splits):
    for number in range(3):
        for folder in splits:
            file = tmp_path / f"videos/{folder}walk/{number}.mp4"
            write_video(file, numbered_frames(4, 32, 48))
            write_video(file.parent.with_name("sit") / file.name, numbered_frames(5, 32, 48))
    notes = []
    request = catalog.Request(
        tmp_path / "data", manifest=str(tmp_path / "videos"), workers=1, note=notes.append
    )
    folder = catalog.prepare("video_folder", request)
    assert [len(PreparedSplit(folder, name)) for name in ("train", "test")] == (
        [4, 2] if splits == ("",) else [6, 6]
    )
    told = (
        f"4 videos train, 2 test: {tmp_path / 'videos'} names no splits, so about a fifth of each "
        "class became the test set"
    )
    assert notes == ([told] if splits == ("",) else [])
    assert catalog.prepare("video_folder", request) == folder
    assert len(notes) == (splits == ("",))


def test_preparing_again_does_nothing(prepared_directory):
    before = {f: f.stat().st_mtime_ns for f in prepared_directory.iterdir()}
    root = prepared_directory.parents[3]
    request = catalog.Request(
        data_dir=root / "data",
        manifest=str(root / "videos.csv"),
        storage=catalog.Storage(short_side=48, quality=95, bad_video_budget=0.1),
    )
    assert catalog.prepare("video_folder", request) == prepared_directory
    assert {f: f.stat().st_mtime_ns for f in prepared_directory.iterdir()} == before


def test_too_many_broken_videos_stop_the_preparation(prepared_directory, tmp_path):
    request = catalog.Request(
        data_dir=tmp_path,
        manifest=str(prepared_directory.parents[3] / "videos.csv"),
        storage=catalog.Storage(bad_video_budget=0.01),
        workers=1,
    )
    with pytest.raises(PreparationError, match=r"1 of 11 videos .*per class: \{'left': 1\}"):
        catalog.prepare("video_folder", request)


def test_a_video_that_takes_too_long_counts_as_broken(prepared_directory, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_writer, "_SECONDS", 0.0)
    manifest = str(prepared_directory.parents[3] / "videos.csv")
    request = catalog.Request(data_dir=tmp_path, manifest=manifest, workers=1)
    with pytest.raises(PreparationError, match=r"cannot be read.*mp4: took too long \(more than 0"):
        catalog.prepare("video_folder", request)


def test_missing_data_sets_and_splits_are_named(prepared_directory, tmp_path):
    with pytest.raises(ValueError, match="no split 'val'; it has"):
        PreparedSplit(prepared_directory, "val")
    with pytest.raises(ValueError, match="no prepared data set at"):
        PreparedSplit(tmp_path, "train")
    with pytest.raises(ValueError, match="did you mean 'marionette'"):
        catalog.prepare("marionete", catalog.Request(tmp_path))
    with pytest.raises(ValueError, match="data.manifest is empty"):
        catalog.prepare("video_folder", catalog.Request(tmp_path))


def test_an_unused_manifest_causes_a_note(tmp_path):
    notes = []
    request = catalog.Request(
        tmp_path, manifest="mine.csv", options={"colour": 1}, note=notes.append
    )
    with pytest.raises(ValueError, match="data.options for marionette"):
        catalog.prepare("marionette", request)
    assert notes == [
        "data.manifest = 'mine.csv' is ignored: data.name is marionette, and only video_folder "
        "reads a manifest"
    ]


def test_the_budget_is_checked_for_existing_data_sets_too(prepared_directory):
    root, notes = prepared_directory.parents[3], []
    request = catalog.Request(
        data_dir=root / "data",
        manifest=str(root / "videos.csv"),
        storage=catalog.Storage(short_side=48, quality=95, bad_video_budget=0.05),
        note=notes.append,
    )
    with pytest.raises(PreparationError, match=r"1 of 11 videos of split 'train' .*excluded\.csv"):
        catalog.prepare("video_folder", request)
    loose = catalog.Storage(short_side=48, quality=95, bad_video_budget=0.5)
    catalog.prepare("video_folder", dataclasses.replace(request, storage=loose))
    (note,) = notes
    assert note.startswith("1 of 17 videos are excluded;")
