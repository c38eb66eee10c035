"""Tests the timeline image by its pixels."""

import tracemalloc

import cv2
import numpy as np
import pytest

from vidjax.trained.predicting import WindowPrediction
from vidjax.trained.timeline import Timeline

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)
# The part of the image with the time axis, from start to end.
AXIS = slice(300, 1410)


def window(start, length, chances, shade=0):
    picture = np.full((32, 32, 3), shade, np.uint8)
    return WindowPrediction(start, start + length, np.array(chances, np.float32), picture)


def drawn(file, found, labels):
    line = Timeline()
    for each in found:
        line.add(each)
    line.draw(file, labels, "a title")
    return cv2.imread(str(file))[..., ::-1]


def where(picture, colour):
    """Returns at which times a colour is visible, bool `[width]`."""
    return (np.abs(picture[:, AXIS].astype(int) - colour) < 3).all(axis=2).any(axis=0)


def two_classes(count, length=1.0):
    """Returns the second of four classes for a quarter of the time, then the fourth."""
    for k in range(count):
        first = k < count / 4
        yield window(k * length, length, (0.001, 0.99 if first else 0.001, 0.001, 0.001 if first else 0.99), shade=250 if first else 90)  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("count", [8, 3000])
def test_each_class_is_drawn_in_its_colour_at_its_times(tmp_path, count):
    labels = ["never", "first", "nor this", "second"]
    picture = drawn(tmp_path / "a.png", two_classes(count), labels)
    quarter = (AXIS.stop - AXIS.start) // 4
    for colour, times in ((BLUE, slice(0, quarter)), (ORANGE, slice(quarter, None))):
        expected = np.zeros(AXIS.stop - AXIS.start, bool)
        expected[times] = True
        assert (where(picture, colour) == expected).mean() > 0.99
    # Two rows: classes that are never likely have none.
    assert picture.shape[0] == round(120 * (0.5 + 0.34 + 2 * 0.42 + 0.42 + 0.8 + 0.15))


def test_frames_are_drawn_below_their_times(tmp_path):
    picture = drawn(tmp_path / "a.png", two_classes(80), list("abcd"))
    film = picture[-60, AXIS, 0].astype(int)
    quarter = len(film) // 4
    assert np.median(film[: quarter - 50]) == 250
    assert np.median(film[quarter + 50 :]) == 90


def test_separate_or_overlapping_windows_cover_the_whole_time(tmp_path):
    for length, every in ((1.0, 5.0), (5.0, 1.0)):
        found = [window(k * every, length, (0.99, 0.01)) for k in range(20)]
        picture = drawn(tmp_path / f"{every}.png", found, ["one", "two"])
        assert where(picture, BLUE).all()


def test_memory_is_bounded():
    line, chances = Timeline(), np.full(400, 1 / 400, np.float32)
    peaks = []
    tracemalloc.start()
    for k in range(12_000):
        picture = np.zeros((96, 96, 3), np.uint8)
        line.add(WindowPrediction(k, k + 1, chances.copy(), picture))
        if k in (5_000, 11_999):
            peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    # 7,000 more windows have 11 MB of probabilities and 190 MB of images.
    assert peaks[1] < 1.02 * peaks[0]


def test_averages_cover_all_windows(tmp_path):
    """Holds for any number of merges, and for the incomplete last windows."""
    count = 2777
    found = [window(k, 1, (0.5 + 0.4 * np.sin(k / 400), 0.5 - 0.4 * np.sin(k / 400))) for k in range(count)]  # fmt: skip  # noqa: E501
    line = Timeline()
    for each in found:
        line.add(each)
    for piece in line.pieces():
        inside = [w.probabilities for w in found if piece.start <= w.start and w.end <= piece.end]
        np.testing.assert_allclose(piece.probabilities, np.mean(inside, axis=0), atol=1e-5)
    assert sum(piece.end - piece.start for piece in line.pieces()) == count


@pytest.mark.parametrize(
    ("seconds", "count"), [(0.3, 1), (2.0, 3), (59.0, 40), (3700.0, 90), (400_000.0, 20)]
)
def test_any_length_and_name_can_be_drawn(tmp_path, seconds, count):
    labels = ["$x$ _^", "line\nbreak", "very long " * 40, "\x1b[31mred", "x"]
    found = [
        window(k * seconds / count, seconds / count, np.roll([0.6, 0.1, 0.1, 0.1, 0.1], k))
        for k in range(count)
    ]
    picture = drawn(tmp_path / "a.png", found, labels)
    assert picture.shape[1] == 1440
    assert picture.std() > 5


def test_an_empty_timeline_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs at least one window"):
        Timeline().draw(tmp_path / "a.png", ["a"], "")
    assert not list(tmp_path.iterdir())
