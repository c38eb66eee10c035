"""Tests streams against whole videos, frame by frame, and their cost."""

import gc
import itertools
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from tests.commands import ROOT
from tests.conftest import shared_folder
from tests.faults.test_costly_videos import write_gif
from tests.videos import numbered_frames, read_numbers, write_interlaced, write_video
from vidjax.data.decode import read_video
from vidjax.data.decode_limits import DecodeError, DecodeLimitError, DecodeTimeoutError, Limits
from vidjax.data.encode import write_mp4
from vidjax.data.video_segment import VideoSegment
from vidjax.data.video_stream import stream_video

HARD = sorted((shared_folder() / "clips" / "hard").glob("*.*"))
AVI = sorted((shared_folder() / "clips" / "ucf101_few" / "ApplyEyeMakeup").glob("*_c0[13].avi"))
ASKED = [
    {},
    {"fps": 12.5},
    {"fps": 60, "start": 0.3, "end": 1.1},
    {"start": 0.5},
    {"fps": 7, "short_side": 24},
    {"fps": 25, "start": 1.0, "end": 1.3},
]


def _leaping(file):
    times = [k / 25 + (90_000 if k >= 20 else 0) for k in range(40)]
    return write_video(file, numbered_frames(40), times=times)


def _reordered(file):
    """Writes an AVI, which stores and times frames in decoding order."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options, stream.bit_rate = {"bf": "2"}, 4_000_000
        for frame in numbered_frames(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file


PAUSING = [k / 10 for k in range(10)] + [1.9 + k / 30 for k in range(20)]
WRITERS = {
    "constant.mp4": lambda file: write_video(file, numbered_frames(50)),
    "odd.mkv": lambda file: write_video(file, numbered_frames(50, 50, 82), fps=30),
    "pausing.mkv": lambda file: write_video(file, numbered_frames(30), times=PAUSING),
    "leaping.mp4": _leaping,
    "reordered.avi": _reordered,
    "interlaced.mpg": lambda file: write_interlaced(file, numbered_frames(60, 64, 96)),
    "one.mp4": lambda file: write_video(file, numbered_frames(1)),
    "drawn.gif": lambda file: write_gif(file, 64, 48, [4] * 30) or file,
}


def _whole(file, asked):
    try:
        return read_video(file, partial=True, **asked), None
    except DecodeError as error:
        return None, str(error)


def same_as_whole(file, **asked):
    """Asserts that a stream equals the whole video, including its error."""
    whole, error = _whole(file, asked)
    if whole is None:
        with pytest.raises(DecodeError) as told:
            list(stream_video(file, **asked))
        assert str(told.value) == error
        return None
    stream = stream_video(file, **asked)
    found, broken = [], None
    try:
        found.extend(stream)
    except DecodeError as error:
        broken = str(error)
    assert broken == whole.error
    assert stream.fps == whole.fps
    assert [time for _, time in found] == whole.timestamps.tolist()
    np.testing.assert_array_equal(np.stack([frame for frame, _ in found]), whole.frames)
    if broken is None:
        assert stream_video(file, counted=True, **asked).count == len(found)
    else:
        with pytest.raises(DecodeError):
            stream_video(file, counted=True, **asked)
    return whole


@pytest.mark.parametrize("name", WRITERS)
def test_a_stream_equals_the_whole_video(tmp_path, name):
    file = WRITERS[name](tmp_path / name)
    read = [same_as_whole(file, **asked) for asked in ASKED]
    assert read[0] is not None


@pytest.mark.skipif(not HARD, reason="no reference data; set VIDJAX_SHARED")
@pytest.mark.parametrize("file", HARD, ids=lambda file: file.name)
def test_a_stream_of_a_hard_file_equals_the_whole_video(file):
    for asked in ({"short_side": 32}, {"fps": 12, "short_side": 32, "start": 0.5, "end": 2.5}):
        same_as_whole(file, **asked)


@pytest.mark.skipif(not AVI, reason="no reference data; set VIDJAX_SHARED")
@pytest.mark.parametrize("file", AVI, ids=lambda file: file.name)
def test_times_of_real_avi_files_are_sorted_while_streaming(file):
    same_as_whole(file, short_side=32)
    same_as_whole(file, short_side=32, fps=10, start=1.0)


def test_frames_before_an_error_are_yielded_first(tmp_path, shared):
    file = shared / "clips/hard/corrupt_middle.mp4"
    for fps in (None, 10.0):
        whole = same_as_whole(file, fps=fps)
        assert whole is not None
        assert "broken after 29 frames" in whole.error


def test_repeated_frames_are_the_same_array(tmp_path):
    file = write_video(tmp_path / "held.mkv", numbered_frames(3), times=[0, 0.04, 2])
    frames = [frame for frame, _ in stream_video(file, fps=25)]
    assert read_numbers(np.stack(frames)) == [0, *[1] * 49, 2]
    assert len({id(frame) for frame in frames}) == 3


@pytest.mark.slow
def test_few_frames_are_alive_at_a_time(tmp_path):
    """For any length of the file, also at a lower frame rate."""
    alive = {}
    for count in (60, 240):
        file = write_video(tmp_path / f"{count}.mp4", numbered_frames(count))
        gc.collect()
        alive[count] = 0
        for _ in itertools.islice(stream_video(file, fps=10), 0, None, 7):
            found = sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())
            alive[count] = max(alive[count], found)
    assert alive[240] <= alive[60] <= 8


PEAK = """
import resource, sys
from vidjax.data.video_stream import stream_video
def read(file):
    return sum(1 for _ in stream_video(file, short_side=64))
read(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(read(sys.argv[2]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (1, 120, 160, 3), np.uint8)
    short, long = (
        write_video(tmp_path / f"{count}.mp4", np.broadcast_to(frame, (count, *frame.shape[1:])))
        for count in (100, 2000)
    )
    done = subprocess.run(
        [sys.executable, "-c", PEAK, short, long], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, grown = map(int, done.stdout.split())
    assert count == 2000
    # All frames would take 32 MB at this side, 115 MB at their own.
    assert grown * (1 if sys.platform == "darwin" else 1024) < 10 * 2**20


def test_limits_grow_with_the_file(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(1000))
    with large.open("wb") as stream:
        stream.truncate(2**30)
    assert Limits.in_proportion(small).seconds == Limits().seconds
    # A gigabyte is hours of video.
    limits = Limits.in_proportion(large)
    assert limits.seconds > 10 * 3600
    assert limits.frames > 24 * 3600 * 60
    assert Limits.in_proportion(tmp_path / "gone") == Limits()


def test_a_small_file_that_claims_hours_is_refused(tmp_path):
    file = write_video(tmp_path / "held.mp4", numbered_frames(3), times=[0, 0.04, 599])
    assert sum(1 for _ in itertools.islice(stream_video(file, fps=1000), 5)) == 5
    with pytest.raises(DecodeLimitError, match="more than 20 frames at 1000 fps"):
        list(stream_video(file, fps=1000, limits=Limits(frames=20)))
    with pytest.raises(DecodeLimitError, match="more than 1 frames$"):
        list(stream_video(file, end=0.1, limits=Limits(frames=1)))


def test_time_of_the_caller_does_not_count(tmp_path):
    slow = write_gif(tmp_path / "slow.gif", 1_000, 1_000, [4] * 500)
    with pytest.raises(DecodeTimeoutError, match="decoding takes longer than"):
        list(stream_video(slow, fps=25, limits=Limits(seconds=1)))
    file = write_video(tmp_path / "sound.mp4", numbered_frames(20))
    count = 0
    for _ in stream_video(file, fps=25, limits=Limits(seconds=10)):
        begin, count = time.thread_time(), count + 1
        while count < 4 and time.thread_time() - begin < 0.4:
            pass
    assert count == 20


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_of_zero_is_refused(tmp_path, fps):
    with pytest.raises(ValueError, match="must be above 0"):
        stream_video(tmp_path / "any.mp4", fps=fps)


def test_frames_that_are_not_requested_are_not_converted(tmp_path, monkeypatch):
    file = tmp_path / "any.mp4"
    write_mp4(file, np.random.default_rng(0).integers(0, 256, (12, 32, 48, 3), np.uint8), 25)
    whole = [frame for frame, _ in stream_video(file, fps=25)]
    converted = []
    image = VideoSegment.image

    def counted(self, frame):
        converted.append(frame)
        return image(self, frame)

    monkeypatch.setattr(VideoSegment, "image", counted)
    found = dict(stream_video(file, fps=25).at([3, 8]))
    assert len(converted) == 2
    for index in (3, 8):
        np.testing.assert_array_equal(found[index], whole[index])
