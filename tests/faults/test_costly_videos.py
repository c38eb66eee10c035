"""Tests small files that decode to gigabytes: each gives a verdict and an error within seconds."""

import collections
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.commands import ROOT
from tests.videos import write_video
from vidjax.data.decode import DecodeError, read_video
from vidjax.data.decode_limits import DecodeLimitError, Limits, Meter
from vidjax.data.verdicts import check_video


def write_gif(file, width, height, delays):
    """Writes an animation with one dark dot per frame; `delays` are hundredths of a second."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frames = (
        b"\x21\xf9\x04" + struct.pack("<BHBB", 4, delay, 0, 0)
        + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
        for delay in delays
    )  # fmt: skip
    file.write_bytes(head + b"".join(frames) + b"\x3b")
    return file


def test_decoding_a_small_animation_of_huge_frames_stops_early(tmp_path):
    file = write_gif(tmp_path / "bomb.gif", 30_000, 2_000, [4] * 1000)
    assert file.stat().st_size < 24_000
    found = check_video("bomb.gif", tmp_path)
    assert found.verdict == "too large"
    assert found.detail.startswith(f"{file.stat().st_size} bytes decode to more than ")
    # 60 million pixels each: decoding a tenth of them would take minutes.
    assert found.frames < 100
    assert not found.usable


def test_an_animation_of_usual_frames_is_read_completely(tmp_path):
    file = write_gif(tmp_path / "plain.gif", 320, 240, [4] * 300)
    assert check_video("plain.gif", tmp_path).verdict == "ok"
    assert read_video(file).frames.shape == (300, 240, 320, 3)


def test_black_full_size_frames_are_accepted(tmp_path):
    """The smallest H.264 frames are not a sign of an attack."""
    frame = np.zeros((1, 1080, 1920, 3), np.uint8)
    file = write_video(tmp_path / "black.mp4", np.broadcast_to(frame, (100, *frame.shape[1:])))
    size = file.stat().st_size
    meter = Meter(file, size, Limits())
    # Minutes of it would be accepted too, because bytes and pixels grow in proportion.
    longer = Meter(file, 50 * size, Limits())
    for _ in range(100):
        meter.add(1920, 1080)
    for _ in range(50 * 100):
        longer.add(1920, 1080)
    with pytest.raises(DecodeLimitError, match="decode to more than"):
        collections.deque(meter.add(1920, 1080) for _ in range(10_000_000))


@pytest.mark.parametrize("size", [(2, 30_000), (30_000, 2)])
def test_a_strip_is_refused_with_the_reason(tmp_path, size):
    width, height = size
    file = write_gif(tmp_path / "strip.gif", width, height, [4] * 3)
    found = check_video("strip.gif", tmp_path)
    words = f"frames of {width}x{height} have an aspect ratio above 64"
    assert (found.verdict, found.detail, found.frames) == ("too large", words, 0)
    with pytest.raises(DecodeError, match=words):
        read_video(file, short_side=128)


def test_a_long_pause_does_not_become_a_hundred_thousand_frames(tmp_path):
    file = write_gif(tmp_path / "pause.gif", 4_000, 2_000, [1, 60_000, 1])
    begin = time.monotonic()
    with pytest.raises(DecodeError, match="take more than the limit"):
        read_video(file, fps=25)
    assert time.monotonic() - begin < 30


VIEW = """
import resource, sys
import numpy as np
from vidjax.data.pipeline import ClipShape
from vidjax.data.prepared import Record
from vidjax.data.transforms import encode_jpeg
from vidjax.data.views import Views
height, width = map(int, sys.argv[1:])
jpeg = encode_jpeg(np.zeros((height, width, 3), np.uint8))
views = Views(clips=1, crops=3, size=112, shape=ClipShape(frames=16, stride=1, size=112))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert views.cut(Record([jpeg] * 16, 0, "strip", 25.0), 0).shape == (3, 16, 112, 112, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("shape", [(2, 128), (128, 2), (2, 20_000), (20_000, 2)])
def test_a_view_of_a_strip_takes_little_memory(shape):
    """Also for data sets from before strips were refused."""
    done = subprocess.run(
        [sys.executable, "-c", VIEW, *map(str, shape)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 500e6
