"""Tests the middle clip of a video against all its frames."""

import functools

import numpy as np
import pytest

from tests.trained.test_sliding_windows import peak_of, seen
from tests.videos import numbered_frames, write_video
from vidjax.data.decode import DecodeError, read_video
from vidjax.trained.preprocessing import read_clip


@pytest.mark.parametrize("short", ["loop", "pad"])
@pytest.mark.parametrize("length", [3, 50])
@pytest.mark.parametrize("fps", [None, 12.5])
def test_the_clip_is_the_middle_of_the_video(tmp_path, short, length, fps):
    file = write_video(tmp_path / "video.mp4", numbered_frames(length))
    for preprocessing in (seen(stride=2, short=short, fps=fps), seen(sampling="segments", fps=fps)):
        for piece in ({}, {"start": 0.04, "end": 0.9}):
            clip = read_clip(file, preprocessing, **piece)
            whole = read_video(file, short_side=32, fps=fps, **piece).frames
            (middle,) = preprocessing.views().cut_frames(whole, 0)
            np.testing.assert_array_equal(clip, preprocessing.normalized(middle))
            assert clip.dtype == np.float32


def test_a_broken_video_has_no_clip(shared):
    with pytest.raises(DecodeError, match="broken after 29 frames"):
        read_clip(shared / "clips/hard/corrupt_middle.mp4", seen())


def test_a_clip_of_a_long_video_takes_little_memory(tmp_path):
    frames = np.broadcast_to(numbered_frames(1, 96, 128), (1000, 96, 128, 3))
    file = write_video(tmp_path / "long.mp4", frames)
    _, peak = peak_of(functools.partial(read_clip, file, seen(fps=25.0)))
    # All frames would take 4 MB at the crop's size, 37 MB at the original size.
    assert peak < 2_000_000
