"""Tests predictions of videos against the network applied to all frames."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from tests.trained.made import NAME, OPTIONS, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.data.decode import DecodeError, read_encoded, read_video
from vidjax.data.prepared import Record
from vidjax.data.transforms import encode_jpeg
from vidjax.data.video_list import list_videos
from vidjax.trained.open_weights import open_weights
from vidjax.trained.predicting import Unreadable, predict_videos, predict_windows
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.sliding_windows import windows
from vidjax.trained.video_record import as_record


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    file = write_checkpoint(tmp_path_factory.mktemp("weights") / "made.safetensors")
    found = open_weights(f"{NAME}:{file}", OPTIONS)
    colours = found.preprocessing.mean, found.preprocessing.std
    return dataclasses.replace(found, preprocessing=Preprocessing(4, 2, 16, 16, *colours))


def brightening(count):
    """Returns frames that get lighter, so that probabilities differ at each time."""
    return (numbered_frames(count, 32, 48) * np.linspace(0.1, 1, count)[:, None, None, None]).astype("uint8")  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "light.mp4", brightening(40))


@pytest.fixture(scope="module")
def probabilities(trained):
    """Returns the network's probabilities of crops `[S, T, H, W, 3]`."""
    apply = jax.jit(functools.partial(trained.model.apply, train=False))

    def of_crops(crops):
        clips = trained.preprocessing.normalized(crops)
        return np.asarray(jax.nn.softmax(apply(trained.variables, clips))).mean(axis=0)

    return of_crops


@pytest.mark.parametrize("batch_size", [1, 4])
def test_windows_have_their_clips_probabilities(trained, video, probabilities, batch_size):
    asked = {"window_stride": 0.2, "start": 0.2, "end": 1.5}
    found = list(predict_windows(trained, video, batch_size=batch_size, **asked))
    wanted = list(windows(video, trained.preprocessing, **asked))
    assert [(w.start, w.end) for w in found] == [(w.start, w.end) for w in wanted]
    assert len(found) > 5
    for window, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(window.probabilities, probabilities(expected.crops), atol=1e-5)  # fmt: skip  # noqa: E501
        np.testing.assert_array_equal(window.picture, expected.crops[0, 2])
    assert len({round(float(w.probabilities[0]), 5) for w in found}) > 5


def test_crops_of_a_window_are_averaged_and_the_image_is_their_centre(
    trained, video, probabilities
):
    several = dataclasses.replace(trained, crops=3)
    found = next(predict_windows(several, video))
    wanted = next(windows(video, trained.preprocessing, crops=3))
    np.testing.assert_allclose(found.probabilities, probabilities(wanted.crops), atol=1e-5)
    np.testing.assert_array_equal(found.picture, wanted.crops[1, 2])


def test_windows_before_a_break_are_predicted(trained, shared):
    found = []
    with pytest.raises(DecodeError, match="broken after 29 frames"):
        found.extend(predict_windows(trained, shared / "clips/hard/corrupt_middle.mp4"))
    assert len(found) == 4


def test_a_segment_is_predicted_from_its_frames(trained, video, probabilities):
    piece = {"start": 0.4, "end": 0.9}
    frames = read_video(video, **piece, short_side=16).frames
    (crops,) = (trained.views.cut_frames(frames, 0),)
    top = dict(trained.predict(video, 3, **piece))
    # Frames are stored as JPEG, which changes colours slightly.
    expected = probabilities(crops)
    np.testing.assert_allclose([top[name] for name in trained.labels], expected, atol=0.02)
    assert top != dict(trained.predict(video, 3))


@pytest.mark.parametrize(("clips", "batch_size"), [(1, 8), (3, 2)])
def test_many_videos_are_predicted_like_single_ones(trained, tmp_path, clips, batch_size):
    many = dataclasses.replace(trained, clips=clips)
    for number, count in enumerate((3, 20, 40)):
        write_video(tmp_path / f"{number}.mp4", brightening(count))
    (tmp_path / "1.broken.mp4").write_bytes(b"no video")
    (tmp_path / "list.csv").write_text(
        "path,start,end\n2.mp4,0.2,1.1\n1.broken.mp4,,\n0.mp4,,\n1.mp4,,\ngone.mp4,,\n2.mp4,,\n"
    )
    found = list(predict_videos(many, list_videos(tmp_path / "list.csv"), batch_size=batch_size))
    names = ["2.mp4", "1.broken.mp4", "0.mp4", "1.mp4", "gone.mp4", "2.mp4"]
    assert [entry.path for entry, _ in found] == names
    for entry, prediction in found:
        if isinstance(prediction, Unreadable):
            assert entry.path in prediction.error
            continue
        alone = many.predict(tmp_path / entry.path, 3, start=entry.start, end=entry.end)
        assert [name for name, _ in prediction.top(many.labels, 3)] == [name for name, _ in alone]
        np.testing.assert_allclose(
            [chance for _, chance in prediction.top(many.labels, 3)],
            [chance for _, chance in alone],
            atol=1e-5,
        )
    unreadable = [entry.path for entry, each in found if isinstance(each, Unreadable)]
    assert unreadable == ["1.broken.mp4", "gone.mp4"]


@pytest.mark.parametrize("fps", [None, 10.0])
@pytest.mark.parametrize("short", ["loop", "pad"])
def test_a_record_of_views_equals_a_record_of_all_frames(video, fps, short):
    grey = (0.5,) * 3
    for piece in ({}, {"end": 0.12}, {"start": 0.4, "end": 1.2}):
        seen = Preprocessing(4, 2, 16, 16, grey, grey, fps=fps, short=short, stored_side=24)
        views = seen.views(clips=3, crops=3)
        all_frames = read_encoded(video, encode_jpeg, fps=fps, short_side=24, **piece)
        whole = Record(all_frames.frames, -1, "", all_frames.fps)
        record = as_record(video, seen, views, **piece)
        assert (len(record.jpegs), record.fps) == (len(whole.jpegs), whole.fps)
        for clip in range(3):
            np.testing.assert_array_equal(views.cut(record, clip), views.cut(whole, clip))


def test_a_record_keeps_only_the_frames_of_its_views(video):
    seen = Preprocessing(4, 2, 16, 16, (0.5,) * 3, (0.5,) * 3)
    record = as_record(video, seen, seen.views())
    assert len(record.jpegs) == 40
    with pytest.raises(KeyError):
        record.decode(np.array([0]))
