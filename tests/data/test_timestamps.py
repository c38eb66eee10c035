"""Tests the rules for time stamps, on files whose frames encode their number."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data.decode import DecodeError, read_video
from vidjax.data.timestamps import is_uniform, rate_of
from vidjax.data.verdicts import check_video

FRAMES = numbered_frames(60)
DAY = 86_400


def write_stamped(path, times, *, rate=25, codec="libx264"):
    """Writes frames 0, 1, ... with these time stamps in seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"crf": "10", "bf": "0"}
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(FRAMES[number], format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound(path, count, fps):
    """Checks that a file is intact, with `count` frames at `fps`; returns the video."""
    assert check_video(str(path)).verdict == "ok"
    video = read_video(path)
    assert read_numbers(video.frames) == list(range(count))
    assert video.fps == pytest.approx(fps, rel=0.03)
    np.testing.assert_allclose(video.timestamps, np.arange(count) / fps, atol=2e-2)
    assert check_video(str(path)).seconds == pytest.approx((count - 1) / fps, abs=0.05)
    return video


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("leap_at", [1, 20])
def test_a_jump_of_a_day_in_the_time_stamps_is_one_step(tmp_path, suffix, leap_at):
    times = [k / 25 + (DAY if k >= leap_at else 0) for k in range(50)]
    path = write_stamped(tmp_path / f"leap.{suffix}", times)
    sound(path, 50, 25)
    piece = read_video(path, start=1.2, end=1.6)
    assert read_numbers(piece.frames) == list(range(30, 40))


def test_a_single_wrong_time_stamp_is_one_frame(tmp_path):
    times = [k / 25 + (DAY if k == 12 else 0) for k in range(50)]
    # MP4 and Matroska cannot store the step back.
    path = tmp_path / "one.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        for number, time in enumerate(times[:13]):
            frame = av.VideoFrame.from_ndarray(FRAMES[number], format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    sound(path, 13, 25)


def joined(path, parts):
    """Concatenates transport streams, each with its own clock."""
    data, number = b"", 0
    for begin, count in parts:
        part = path.with_name("part.ts")
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            stream.options = {"crf": "10", "bf": "0"}
            stream.codec_context.time_base = Fraction(1, 25)
            for k in range(count):
                frame = av.VideoFrame.from_ndarray(FRAMES[number], format="rgb24")
                frame.pts, frame.time_base = round(25 * begin) + k, Fraction(1, 25)
                container.mux(stream.encode(frame))
                number += 1
            container.mux(stream.encode())
        data += part.read_bytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("second", [0, 0.4, 30, 5_000])
def test_joined_streams_are_played_one_after_the_other(tmp_path, second):
    path = joined(tmp_path / "joined.ts", [(0, 25), (second, 25)])
    sound(path, 50, 25)
    assert read_numbers(read_video(path, start=1.2, end=1.6).frames) == list(range(30, 40))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_header_with_another_rate_is_corrected(tmp_path, suffix):
    path = write_stamped(tmp_path / f"header.{suffix}", [k / 25 for k in range(50)], rate=1000)
    sound(path, 50, 25)


def test_streams_without_times_have_those_of_their_rate(tmp_path):
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"crf": "10"}
        for frame in FRAMES[:50]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    sound(path, 50, 25)
    assert read_numbers(read_video(path, start=0.4, end=0.8).frames) == list(range(10, 20))


@pytest.mark.parametrize("pause", [5, 300])
def test_a_long_pause_is_not_a_discontinuity(tmp_path, pause):
    """Screen recordings have pauses of minutes."""
    times = [k / 25 + (pause if k >= 25 else 0) for k in range(50)]
    path = write_stamped(tmp_path / "pause.mkv", times)
    assert check_video(str(path)).seconds == pytest.approx(49 / 25 + pause, abs=0.01)
    later = read_video(path, start=pause + 1.2, end=pause + 1.6)
    assert read_numbers(later.frames) == list(range(30, 40))


def test_a_time_lapse_has_no_discontinuities(tmp_path):
    times = [1200 * k for k in range(20)]
    path = write_stamped(tmp_path / "lapse.mkv", times)
    video = read_video(path)
    assert read_numbers(video.frames) == list(range(20))
    np.testing.assert_allclose(video.timestamps, times)
    assert video.fps == pytest.approx(1 / 1200)


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "mpeg4"), ("ts", "libx264")])
def test_limits_count_the_frames_that_are_kept(tmp_path, suffix, codec):
    times = [k / 10 for k in range(60)]
    path = write_stamped(tmp_path / f"far.{suffix}", times, rate=10, codec=codec)
    piece = read_video(path, start=5.0, end=5.8, max_frames=8)
    assert read_numbers(piece.frames) == list(range(50, 58))
    with pytest.raises(DecodeError, match="more than 8 frames"):
        read_video(path, start=4.9, end=5.8, max_frames=8)


def test_a_discontinuity_before_a_late_segment_shifts_it(tmp_path):
    """A file's index counts discontinuities as time."""
    times = [k / 10 + (DAY if k >= 20 else 0) for k in range(60)]
    for suffix in ("mp4", "mkv"):
        path = write_video(tmp_path / f"far.{suffix}", FRAMES, fps=10, times=times, key_every=5)
        assert read_numbers(read_video(path, start=4.5, end=5.0).frames) == list(range(45, 50))


def test_a_stated_rate_counts_if_the_times_agree_with_it():
    steady = np.arange(100) / 30
    assert rate_of(steady, 30000 / 1001) == 30000 / 1001
    assert rate_of(steady, 1000) == pytest.approx(30)
    assert rate_of(steady, 0) == pytest.approx(30)
    assert rate_of(np.zeros(1), 25) == 25
    assert rate_of(np.zeros(3), 0) == 1
    paused = np.concatenate([steady, steady + 10])
    assert not is_uniform(paused)
    assert rate_of(paused, 200 / paused[-1]) == 200 / paused[-1]
    assert rate_of(paused, 0.1) == pytest.approx(30)
