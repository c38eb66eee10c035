"""Tests that sizes of videos are known before decoding, and coinciding views refused early."""

import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.expected_videos import ExpectedVideo
from vidjax.data.pipeline import ClipShape
from vidjax.data.views import Views, refuse_coinciding_expected

SHAPE = ClipShape(frames=4, stride=2, size=32)


class DecodingError(Exception):
    """Raised when videos would be decoded."""


def outlooks(folder, **storage):
    """Returns what `judge` gets for the videos of a folder; nothing is decoded."""
    found = []

    def judge(classes, splits, look):
        found.extend(look("test"))
        raise DecodingError

    request = catalog.Request(
        data_dir=folder / "data",
        storage=catalog.Storage(**storage),
        manifest=str(folder / "videos"),
        judge=judge,
    )
    with pytest.raises(DecodingError):
        catalog.prepare("video_folder", request)
    assert not (folder / "data").exists()
    return found


@pytest.fixture
def folder(tmp_path):
    for label in ("sit", "walk"):
        for number in range(5):
            file = tmp_path / "videos" / "test" / label / f"{number}.mp4"
            write_video(file, numbered_frames(20, 96, 192))
            train = tmp_path / "videos" / "train" / label / f"{number}.mp4"
            write_video(train, numbered_frames(4, 32, 64))
    return tmp_path


def test_sizes_are_those_of_stored_frames_and_lengths_are_close_upper_bounds(folder):
    found = outlooks(folder, short_side=48)
    assert len(found) == 8
    assert {(each.height, each.width) for each in found} == {(48, 96)}
    assert all(20 <= each.frames <= 24 for each in found)
    assert all(10 <= each.frames <= 14 for each in outlooks(folder, fps=12.5))


def test_unreadable_videos_are_skipped(folder):
    for file in (folder / "videos" / "test" / "sit").iterdir():
        file.write_bytes(b"nothing")
    assert len(outlooks(folder)) in (4, 5)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (Views(40, 1, 32, SHAPE), "eval.clips = 40, but even the longest of 2 checked videos"),
        (Views(1, 3, 32, SHAPE), "eval.crops = 3, but the crops coincide"),
    ],
)
def test_views_that_coincide_for_all_of_them_are_refused(views, message):
    with pytest.raises(ValueError, match=message):
        refuse_coinciding_expected([ExpectedVideo(20, 48, 48), ExpectedVideo(14, 64, 64)], views)


def test_views_that_one_video_can_have_are_accepted():
    refuse_coinciding_expected(
        [ExpectedVideo(20, 48, 48), ExpectedVideo(100, 48, 96)], Views(10, 3, 32, SHAPE)
    )
    refuse_coinciding_expected([], Views(10, 3, 32, SHAPE))
