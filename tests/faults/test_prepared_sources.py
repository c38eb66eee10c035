"""Tests that other files of the same names get another prepared data set."""

import os
import shutil
from fractions import Fraction

import numpy as np
import pytest

from tests.videos import write_video
from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit


def grey(value):
    return np.full((4, 16, 32, 3), value, np.uint8)


@pytest.fixture
def videos(tmp_path):
    """Writes two classes of two grey videos each."""
    root = tmp_path / "rgb"
    for label in ("walk", "sit"):
        for number in range(2):
            write_video(root / label / f"v{number}.mp4", grey(60), fps=Fraction(30000, 1001))
    return root


class Preparing:
    """Prepares folders into one place; records notes and decoded videos."""

    def __init__(self, data_dir):
        self.data_dir, self.notes, self.decoded = data_dir, [], 0

    def __call__(self, root):
        self.notes, self.decoded = [], 0
        request = catalog.Request(
            self.data_dir,
            manifest=str(root),
            workers=1,
            note=self._note,
            progress=self._progress,
        )
        return catalog.prepare("video_folder", request)

    def _note(self, text):
        # `tests/data/test_prepared.py` tests the note on how videos were divided.
        if "names no splits" not in text:
            self.notes.append(text)

    def _progress(self, what, done, total):
        self.decoded = done


@pytest.fixture
def prepare(tmp_path):
    return Preparing(tmp_path / "data")


def brightness(folder):
    """Returns the mean of each video of a data set, by name."""
    splits = [PreparedSplit(folder, split) for split in ("train", "test")]
    records = [split[index] for split in splits for index in range(len(split))]
    return {record.name: record.decode([0]).mean() for record in records}


def test_two_folders_of_equal_names_are_two_data_sets(videos, prepare, tmp_path):
    other = tmp_path / "flow"
    for file in videos.rglob("*.mp4"):
        write_video(other / file.relative_to(videos), grey(200))
    first, second = prepare(videos), prepare(other)
    assert first != second
    (note,) = prepare.notes
    assert f"{first} was prepared from other files (from {videos}; these are in {other})" in note
    assert np.allclose(list(brightness(first).values()), 60, atol=5)
    assert np.allclose(list(brightness(second).values()), 200, atol=5)
    for root, folder in ((videos, first), (other, second)):
        assert prepare(root) == folder
        assert (prepare.decoded, prepare.notes) == (0, [])


def test_a_video_replaced_in_place_is_named_and_prepared_again(videos, prepare):
    first = prepare(videos)
    before = {file: file.stat().st_mtime_ns for file in first.iterdir()}
    write_video(videos / "walk/v1.mp4", grey(200))
    second = prepare(videos)
    (note,) = prepare.notes
    assert "1 of 4 files differ in size or time: 'walk/v1.mp4'" in note
    means = brightness(second)
    assert means.pop("walk/v1.mp4") == pytest.approx(200, abs=5)
    assert np.allclose(list(means.values()), 60, atol=5)
    assert {file: file.stat().st_mtime_ns for file in first.iterdir()} == before


@pytest.mark.parametrize("how", ["move", "copy", "copy to a disk of whole seconds"])
def test_a_moved_folder_is_the_same_data_set(videos, prepare, tmp_path, how):
    folder = prepare(videos)
    moved = tmp_path / "elsewhere"
    shutil.copytree(videos, moved)
    if how == "move":
        shutil.rmtree(videos)
    if how == "copy to a disk of whole seconds":
        for file in moved.rglob("*.mp4"):
            os.utime(file, (file.stat().st_atime, int(file.stat().st_mtime)))
    assert prepare(moved) == folder
    (note,) = prepare.notes
    assert (
        f"{folder} was prepared from the files in {videos}. The files in {moved} have the same"
        in note
    )
    assert prepare.decoded == 0


def as_earlier_versions_left_it(folder):
    """Converts a data set to the format of earlier versions: the old name, without new records."""
    old = folder.parent.with_name(folder.parent.name.rpartition("-")[0])
    folder.parent.rename(old)
    for name in ("source.json", "files.csv", "videos.csv", "sizes.json"):
        (old / folder.name / name).unlink()
    return old / folder.name


def test_a_data_set_of_an_earlier_version_is_recognised(videos, prepare):
    old = as_earlier_versions_left_it(prepare(videos))
    assert prepare(videos) == old
    assert (prepare.decoded, prepare.notes) == (0, [])
    # Now it has a record of its files.
    write_video(videos / "walk/v1.mp4", grey(200))
    assert prepare(videos) != old
    assert "'walk/v1.mp4'" in prepare.notes[0]


def replace_one(videos):
    write_video(videos / "walk/v1.mp4", grey(200))


def replace_all_by_older_ones(videos):
    for file in videos.rglob("*.mp4"):
        write_video(file, grey(200))
        os.utime(file, (0, 0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replace_one, "some of the files have changed since it was prepared"),
        (replace_all_by_older_ones, "videos of split 'train' decode to other frames than the"),
    ],
)
def test_a_data_set_of_an_earlier_version_from_other_files_is_not_recognised(
    videos, prepare, change, reason
):
    old = as_earlier_versions_left_it(prepare(videos))
    kept = sorted(old.iterdir())
    change(videos)
    new = prepare(videos)
    assert new != old
    (note,) = prepare.notes
    assert f"{old} has no record of its files, and {reason}" in note
    assert brightness(new)["walk/v1.mp4"] == pytest.approx(200, abs=5)
    assert sorted(old.iterdir()) == kept
