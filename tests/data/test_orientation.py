"""Tests display matrices, which rotate and mirror frames, against expected images."""

import struct

import av
import numpy as np
import pytest

from vidjax.data.decode import probe, read_video
from vidjax.data.orientation import oriented_image
from vidjax.data.verdicts import check_video

ONE, W = 1 << 16, 1 << 30
# Corners of different colours, so that all eight orientations look different.
STORED = np.zeros((64, 96, 3), np.uint8)
STORED[:32, :48], STORED[:32, 48:], STORED[32:, :48], STORED[32:, 48:] = (
    (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 250),
)  # fmt: skip
# Rows (a, b), (c, d) of the matrix in the file, and their effect on an image.
MATRICES = {
    "as stored": ((1, 0, 0, 1), lambda x: x),
    "mirrored left and right": ((-1, 0, 0, 1), np.fliplr),
    "mirrored top and bottom": ((1, 0, 0, -1), np.flipud),
    "turned by 180": ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    "turned by 90 clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "turned by 90 counter-clockwise": ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
    "transposed": ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
    "transposed and turned by 180": ((0, -1, -1, 0), lambda x: np.rot90(x.swapaxes(0, 1), 2)),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    file = tmp_path_factory.mktemp("videos") / "corners.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(STORED, format="rgb24")))
        container.mux(stream.encode())
    return file


@pytest.mark.parametrize("name", MATRICES)
def test_frames_are_oriented_by_the_display_matrix(video, tmp_path, name):
    (a, b, c, d), turn = MATRICES[name]
    data = bytearray(video.read_bytes())
    matrix = (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, W)
    struct.pack_into(">9i", data, data.find(b"tkhd") + 44, *matrix)
    file = tmp_path / "turned.mp4"
    file.write_bytes(data)
    expected = turn(STORED)
    frames = read_video(file).frames
    assert frames.shape == (3, *expected.shape)
    assert (np.abs(frames[0].astype(int) - expected) < 60).mean() > 0.98
    size = expected.shape[1::-1]
    found, stated = check_video(str(file)), probe(file)
    assert (found.width, found.height) == (stated.width, stated.height) == size


def test_one_converter_handles_frames_of_changing_sizes_and_formats():
    rng = np.random.default_rng(0)
    formats = ("yuv420p", "gray", "yuv444p", "yuv420p10le", "yuv420p")
    sizes = ((32, 48), (64, 32), (32, 48), (16, 16), (64, 96))
    for name, (height, width) in zip(formats, sizes, strict=True):
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=name)
        # A fresh converter, as PyAV makes one for each frame.
        expected = frame.to_ndarray(format="rgb24")
        np.testing.assert_array_equal(oriented_image(frame), expected)
