"""Tests that heat is drawn where the network saw it, at the video's own size and rate."""

import struct

import numpy as np
import pytest

from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data.decode import read_video
from vidjax.trained.clip_location import LARGEST_SIDE, MOST_FRAMES, locate
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.video_record import as_record

COLOURS = ((0.5,) * 3, (0.5,) * 3)
SQUARE = 16
# Rows (a, b), (c, d) of the display matrix of a rotated video.
TURNS = {
    "clockwise": (0, 1, -1, 0),
    "counter-clockwise": (0, -1, 1, 0),
    "upside down": (-1, 0, 0, -1),
}


def preprocessing(frames=5, stride=4, size=28, short_side=32, **more):
    return Preprocessing(frames, stride, size, short_side, *COLOURS, **more)


def seen_by(video, given):
    """Returns the clip uint8 `[T, S, S, 3]` that evaluation reads, and the footage."""
    views = given.views()
    record = as_record(video, given, views)
    (indices,) = views.shape.view_indices(len(record.jpegs), 1)
    (clip,) = views.cut(record, 0)
    return clip, locate(video, given, indices, record.fps)


def moving_square(count, height, width, start, step):
    """Returns a white square on black with its top left corner at `start + k * step` in frame k."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number, frame in enumerate(frames):
        top, left = (round(a + number * b) for a, b in zip(start, step, strict=True))
        frame[top : top + SQUARE, left : left + SQUARE] = 255
    return frames


def turned(video, turn, to):
    """Copies a video with another display matrix."""
    data = bytearray(video.read_bytes())
    a, b, c, d = (value << 16 for value in turn)
    struct.pack_into(">9i", data, data.find(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    to.write_bytes(data)
    return to


def centre(weights):
    rows, columns = np.indices(weights.shape)
    total = weights.sum()
    return np.array([(rows * weights).sum() / total, (columns * weights).sum() / total])


def assert_over_the_square(video, given, at_least):
    """Checks that the clip's brightness, as heat, is centred on the video's square."""
    clip, footage = seen_by(video, given)
    surface = footage.surface(clip.mean(-1) / 255)
    inside, shown = footage.inside(), list(footage.frames())
    assert len(shown) == len(footage.places) >= at_least
    for frame, place in zip(shown, footage.places, strict=True):
        assert frame.shape[:2] == footage.size == inside.shape
        heat = np.where(inside, surface.at(place).clip(0), 0)
        assert np.abs(centre(heat) - centre(frame.mean(-1))).max() < 1.5


@pytest.mark.parametrize(
    ("height", "width", "start", "step"),
    [
        (64, 96, (10, 26), (1, 1)),
        (96, 64, (26, 10), (1, 1)),
        (64, 64, (20, 8), (0, 1.5)),
        # Smaller than the network's input, so it is enlarged.
        (24, 40, (4, 6), (0, 0.5)),
    ],
)
def test_heat_follows_the_moving_square_in_every_frame(tmp_path, height, width, start, step):
    frames = moving_square(21, height, width, start, step)
    video = write_video(tmp_path / "square.mp4", frames)
    assert_over_the_square(video, preprocessing(), 17)


@pytest.mark.parametrize("turn", TURNS)
def test_heat_follows_the_moving_square_in_rotated_videos(tmp_path, turn):
    frames = moving_square(21, 64, 96, (12, 30), (1, 0.5))
    stored = write_video(tmp_path / "stored.mp4", frames)
    video = turned(stored, TURNS[turn], tmp_path / "turned.mp4")
    tall = turn != "upside down"
    assert (seen_by(video, preprocessing())[1].size == (96, 64)) == tall
    assert_over_the_square(video, preprocessing(), 17)


@pytest.mark.parametrize(
    ("size", "given", "window"),
    [
        # 64 rows become 32, a factor of 2; 28 of 32 x 48 pixels are cropped.
        ((64, 96), {}, (4, 20, 56, 56)),
        ((96, 64), {}, (20, 4, 56, 56)),
        # Stored with 48 rows, then with 32.
        ((64, 96), {"stored_side": 48}, (4, 20, 56, 56)),
        # Each side is stretched separately, to 32 x 32.
        ((64, 96), {"stretched": (32, 32)}, (4, 6, 56, 84)),
    ],
)
def test_the_window_is_the_area_of_the_crop(tmp_path, size, given, window):
    video = write_video(tmp_path / "my.mp4", np.zeros((20, *size, 3), np.uint8))
    _, footage = seen_by(video, preprocessing(**given))
    assert footage.window == pytest.approx(window)
    assert footage.size == size


def test_the_ends_of_a_strip_are_cropped_before_resizing():
    """Strips are more than 64 times as long as wide."""
    found = preprocessing().views().window(2, 200)
    assert found == pytest.approx((0.125, 36 + 63.125, 1.75, 1.75))


def test_pixels_are_the_sources_of_the_crop():
    """Each pixel of a crop is the centre of the two by two pixels that it averages."""
    views = preprocessing().views()
    rows, columns = np.indices((64, 96)).astype(np.float32)
    small = [own.reshape(32, 2, 48, 2).mean((1, 3))[2:30, 10:38] for own in (rows, columns)]
    top, left, height, width = views.window(64, 96)
    for own, begin, length, axis in ((small[0], top, height, 0), (small[1], left, width, 1)):
        middles = begin + (np.arange(28) + 0.5) * length / 28 - 0.5
        assert np.allclose(np.unique(own), middles), axis


def test_frames_between_those_of_the_clip_are_shown_at_the_videos_rate(tmp_path):
    video = write_video(tmp_path / "numbers.mp4", numbered_frames(40), fps=25)
    _, footage = seen_by(video, preprocessing())
    assert read_numbers(np.stack(list(footage.frames()))) == list(range(11, 28))
    assert footage.fps == pytest.approx(25)
    assert footage.start == pytest.approx(11 / 25)
    assert np.allclose(footage.places, np.arange(17) / 4)
    # Repeated calls return the same.
    assert len(list(footage.frames())) == 17


def test_a_clip_at_another_rate_shows_all_frames_of_the_video(tmp_path):
    video = write_video(tmp_path / "numbers.mp4", numbered_frames(60), fps=30)
    _, footage = seen_by(video, preprocessing(fps=10, stride=2))
    numbers = read_numbers(np.stack(list(footage.frames())))
    assert numbers == list(range(numbers[0], numbers[0] + 25))
    assert footage.fps == pytest.approx(30, rel=1e-3)
    # Two frames at 10 per second are 6 at 30.
    assert np.allclose(footage.places, np.arange(25) / 6, atol=0.01)


def test_a_looped_short_video_is_shown_as_the_network_saw_it(tmp_path):
    video = write_video(tmp_path / "numbers.mp4", numbered_frames(7))
    _, footage = seen_by(video, preprocessing(frames=4, stride=3))
    assert read_numbers(np.stack(list(footage.frames()))) == [0, 3, 6, 2]
    assert footage.places == (0, 1, 2, 3)
    _, padded = seen_by(video, preprocessing(frames=4, stride=3, short="pad"))
    *some, last = padded.frames()
    assert len(some) == 3
    assert not last.any()


def test_long_spans_show_only_the_frames_of_the_clip(tmp_path, monkeypatch):
    monkeypatch.setattr("vidjax.trained.clip_location.MOST_FRAMES", 16)
    assert MOST_FRAMES > 16
    video = write_video(tmp_path / "numbers.mp4", numbered_frames(40))
    _, footage = seen_by(video, preprocessing())
    assert read_numbers(np.stack(list(footage.frames()))) == [11, 15, 19, 23, 27]
    assert footage.fps == pytest.approx(25 / 4)


def test_very_large_frames_are_reduced(tmp_path, monkeypatch):
    monkeypatch.setattr("vidjax.trained.clip_location.LARGEST_SIDE", 32)
    assert LARGEST_SIDE > 32
    frames = moving_square(21, 64, 96, (10, 26), (1, 1))
    video = write_video(tmp_path / "large.mp4", frames)
    assert read_video(video).frames.shape[1:3] == (64, 96)
    _, footage = seen_by(video, preprocessing())
    assert footage.size == (32, 48)
    assert footage.window == pytest.approx((2, 10, 28, 28))
    assert_over_the_square(video, preprocessing(), 17)
