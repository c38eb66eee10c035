"""Fuzzes videos and images, read like `predict` and `check_videos` read them.

The memory limit is for the largest frames of 8192x8192 pixels at up to four bytes: FFmpeg's copy,
one in RGB, one while resizing, and the reference frames of H.264.
"""

import av
import numpy as np
import pytest

from tests.faults.fuzz import BINARY, COUNT, Refused, fuzz, refusing
from tests.videos import numbered_frames
from vidjax.data.decode import DecodeError
from vidjax.data.verdicts import check_video
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.video_record import as_record

MEMORY = 2 * 2**30
SECONDS = 60
SEEN = Preprocessing(16, 1, 112, 112, (0.5,) * 3, (0.5,) * 3)
CODECS = {
    "mp4": ("libx264", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "gif": ("gif", "rgb8"),
    "mkv": ("libx264", "yuv420p"),
    "webm": ("libvpx", "yuv420p"),
    "png": ("png", "rgb24"),
    "jpg": ("mjpeg", "yuvj420p"),
}
READERS = ("predicted", "judged")


def predicted(file):
    with refusing(DecodeError):
        as_record(file, SEEN, SEEN.views())


def judged(file):
    found = check_video(file.name, file.parent)
    if not found.usable:
        raise Refused(found.detail)


def tiny(folder, kind):
    """Writes a few small frames, or one for image formats."""
    codec, pixels = CODECS[kind]
    file, picture = folder / f"tiny.{kind}", kind in ("png", "jpg")
    with av.open(str(file), "w", format="image2" if picture else None) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 64, pixels
        for frame in numbered_frames(1 if picture else 6, 32, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file


def mutate(reader, kind, tmp_path, count):
    return fuzz(
        f"tests.faults.test_fuzz_videos:{reader}",
        tiny(tmp_path, kind),
        tmp_path,
        count=count,
        tokens=BINARY,
        memory=MEMORY,
        seconds=SECONDS,
    )


@pytest.mark.parametrize("kind", CODECS)
def test_a_tiny_file_of_each_format_is_valid(tmp_path, kind):
    file = tiny(tmp_path, kind)
    predicted(file)
    judged(file)
    assert np.isfinite(as_record(file, SEEN, SEEN.views()).fps)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "kind", ["mp4", pytest.param("avi", marks=SLOW), pytest.param("gif", marks=SLOW)]
)
def test_mutations_of_a_video_are_read_or_refused(tmp_path, kind):
    outcome = mutate("predicted", kind, tmp_path, 100)
    assert outcome.read > 0
    assert outcome.refused > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", CODECS)
def test_thousands_of_mutations_of_a_video_are_read_or_refused(tmp_path, kind, reader):
    outcome = mutate(reader, kind, tmp_path, COUNT if kind in ("mp4", "avi", "gif") else COUNT // 5)
    assert outcome.read > 0
    assert outcome.refused > 0
