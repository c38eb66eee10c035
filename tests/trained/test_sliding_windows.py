"""Tests sliding windows against slices of all frames."""

import functools
import tracemalloc

import numpy as np
import pytest

from tests.videos import numbered_frames, read_numbers, write_interlaced, write_video
from vidjax.data.decode import DecodeError, read_video
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.sliding_windows import windows

GREY = (0.5, 0.5, 0.5)


def seen(frames=4, stride=1, **more):
    return Preprocessing(frames, stride, 32, 32, GREY, GREY, **more)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "numbered.mp4", numbered_frames(50))


def expected(file, preprocessing, *, crops=1, start=None, end=None, window_stride=None):
    """Returns the starts, ends and crops as slices of all frames."""
    whole = read_video(file, fps=preprocessing.fps, start=start, end=end, short_side=32)
    views, span = preprocessing.views(crops=crops), (preprocessing.frames - 1) * preprocessing.stride + 1  # fmt: skip  # noqa: E501
    step = span if window_stride is None else window_stride * whole.fps
    total = len(whole.frames)
    begins = [round(k * step) for k in range(total) if round(k * step) < total]
    kept = [begin for begin in begins if begin + span <= total]
    if len(kept) < len(begins) and total - span not in kept:
        kept.append(max(0, total - span))
    for begin in kept:
        piece = slice(begin, begin + span)
        times = whole.timestamps[piece]
        yield times[0], times[-1] + 1 / whole.fps, views.cut_frames(whole.frames[piece], 0)


def compare(file, preprocessing, **asked):
    wanted = list(expected(file, preprocessing, **asked))
    found = list(windows(file, preprocessing, **asked))
    assert [(each.start, each.end) for each in found] == [pair[:2] for pair in wanted]
    np.testing.assert_array_equal(np.stack([w.crops for w in found]), np.stack([w[2] for w in wanted]))  # fmt: skip  # noqa: E501
    return found


PAUSING = [k / 10 for k in range(10)] + [1.9 + k / 30 for k in range(20)]
WRITERS = {
    "constant.mp4": lambda file: write_video(file, numbered_frames(50)),
    "odd.mkv": lambda file: write_video(file, numbered_frames(50, 50, 82), fps=30),
    "pausing.mkv": lambda file: write_video(file, numbered_frames(30), times=PAUSING),
    "interlaced.mpg": lambda file: write_interlaced(file, numbered_frames(80, 64, 96)),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("stride", [1, 3])
def test_windows_are_slices_of_the_whole_video(tmp_path, name, stride):
    file = WRITERS[name](tmp_path / name)
    for fps in (None, 12.5):
        compare(file, seen(stride=stride, fps=fps))
        compare(file, seen(stride=stride, fps=fps), crops=3, window_stride=0.17)
        compare(file, seen(stride=stride, fps=fps), start=0.4, end=1.5, window_stride=0.5)


@pytest.mark.parametrize("name", ["rotated90.mp4", "odd_161x121_444.mp4", "vfr.mp4", "portrait.mp4"])  # fmt: skip  # noqa: E501
def test_windows_of_hard_files_are_slices_of_the_whole_video(shared, name):
    compare(shared / "clips/hard" / name, seen(frames=8, stride=2, fps=10.0), window_stride=0.4)


def test_windows_are_consecutive_and_the_last_ends_with_the_video(video):
    found = compare(video, seen(frames=8))
    begins = [read_numbers(window.crops[0])[:1] for window in windows(video, seen_wide(8))]
    assert begins == [[0], [8], [16], [24], [32], [40], [42]]
    assert [round(window.start * 25) for window in found] == [0, 8, 16, 24, 32, 40, 42]
    assert found[-1].end == pytest.approx(2.0)
    # No frame remains if the window length divides the video's.
    assert len(list(windows(video, seen(frames=10)))) == 5


def seen_wide(frames):
    """Returns crops in which the numbers of `numbered_frames` are readable."""
    return Preprocessing(frames, 1, 64, 64, GREY, GREY, stretched=(64, 64))


def test_windows_with_gaps_skip_the_frames_between(video):
    found = compare(video, seen(frames=4), window_stride=0.8)
    assert [round(window.start * 25) for window in found] == [0, 20, 40]
    # A window that would extend past the end is moved back.
    found = compare(video, seen(frames=4), window_stride=0.96)
    assert [round(window.start * 25) for window in found] == [0, 24, 46]


@pytest.mark.parametrize("short", ["loop", "hold", "pad", "repeat"])
@pytest.mark.parametrize("fit", [False, True])
def test_a_video_shorter_than_a_window_is_padded(tmp_path, short, fit):
    file = write_video(tmp_path / "short.mp4", numbered_frames(5))
    (window,) = compare(file, seen(frames=4, stride=3, short=short, fit=fit))
    assert (window.start, window.end) == (0.0, pytest.approx(0.2))


@pytest.mark.parametrize("sampling", ["dense", "segments", "still"])
def test_a_window_is_sampled_as_the_network_was_trained(video, sampling):
    compare(video, seen(frames=4, stride=3, sampling=sampling), window_stride=0.2)


def test_windows_before_a_break_are_given(shared):
    file, found = shared / "clips/hard/corrupt_middle.mp4", []
    with pytest.raises(DecodeError, match="broken after 29 frames"):
        found.extend(windows(file, seen(frames=8), window_stride=0.2))
    begins = [round(window.start * 29.97) for window in found]
    assert begins == [0, 6, 12, 18]


def test_invalid_windows_are_refused(video, tmp_path):
    for window_stride in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="window_stride = "):
            next(windows(video, seen(), window_stride=window_stride))
    with pytest.raises(ValueError, match="shorter than a frame"):
        next(windows(video, seen(), window_stride=0.01))
    with pytest.raises(DecodeError, match="no such file"):
        next(windows(tmp_path / "gone.mp4", seen()))
    with pytest.raises(DecodeError, match="without frames between 9 s"):
        next(windows(video, seen(), start=9.0))
    with pytest.raises(DecodeError, match="without frames between 9 s"):
        next(windows(video, seen(fps=10.0), start=9.0))


def _count(slide):
    return sum(1 for _ in slide())


def peak_of(work):
    """Returns the result of `work` and its peak memory in bytes."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(tmp_path):
    peaks = []
    for count in (300, 1500):
        frames = np.broadcast_to(numbered_frames(1), (count, 48, 64, 3))
        file = write_video(tmp_path / f"{count}.mp4", frames)
        slide = functools.partial(windows, file, seen(frames=16, stride=2, fps=25.0))
        next(slide())
        found, peak = peak_of(functools.partial(_count, slide))
        assert found == -(-count // 31)
        peaks.append(peak)
    # All frames would need another 3 MB.
    assert peaks[1] < peaks[0] + 200_000
