"""Writes small videos for tests; each frame shows its number."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BLOCK = 8


def numbered_frames(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Returns frames uint8 `[T, H, W, 3]`; eight blocks in the top row are the number's bits."""
    frames = np.full((count, height, width, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        for bit in range(8):
            value = 235 if number >> bit & 1 else 20
            frame[:BLOCK, BLOCK * bit : BLOCK * (bit + 1)] = value
    return frames


def read_numbers(frames: np.ndarray) -> list[int]:
    """Returns the numbers that `numbered_frames` wrote into frames."""
    centers = frames[:, BLOCK // 2, BLOCK // 2 :: BLOCK][:, :8, 0] > 128
    return [int((row * 2 ** np.arange(8)).sum()) for row in centers]


def write_video(
    path: Path,
    frames: np.ndarray,
    fps: int = 25,
    times: list[float] | None = None,
    key_every: int = 250,
) -> Path:
    """Writes H.264; `times` in seconds give a variable frame rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "10", "threads": "1", "bf": "0", "g": str(key_every)}
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round(1000 * (times[number] if times else number / fps))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_interlaced(path: Path, frames: np.ndarray) -> Path:
    """Writes MPEG-2 with half as many frames: odd rows are one frame later than even rows."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.options = {"flags": "+ilme+ildct"}
        for first, second in zip(frames[::2], frames[1::2], strict=True):
            woven = first.copy()
            woven[1::2] = second[1::2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(woven, format="rgb24")))
        container.mux(stream.encode())
    return path
