"""Writes videos, animations and images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from vidjax.data.containers import address
from vidjax.storage.paths import as_path
from vidjax.storage.writing import replacing, writing_bytes


def write_mp4(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Writes frames uint8 `[H, W, 3]` as an H.264 video; equal frames give equal bytes.

    The codec needs even sizes. An odd height or width is padded by one row or column.

    Args:
      path: file to write.
      frames: at least one frame; an array `[T, H, W, 3]` or an iterable of frames.
      fps: frames per second.
    """
    pictures = map(_even, frames)
    first = next(pictures)
    rate = Fraction(fps).limit_denominator(1001)
    with (
        replacing(as_path(path)) as unfinished,
        av.open(
            address(unfinished), "w", format="mp4", options={"movflags": "faststart"}
        ) as container,
    ):
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        for frame in itertools.chain([first], pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _even(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def write_gif(path: Path, frames: np.ndarray, fps: float) -> None:
    """Writes frames uint8 `[T, H, W, 3]` as a looping GIF."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    # Browsers slow down animations with less than 20 ms per frame.
    duration = max(20, round(1000 / fps))
    with writing_bytes(path) as stream:
        first.save(stream, "GIF", save_all=True, append_images=others, duration=duration, loop=0)


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes an RGB image uint8 `[H, W, 3]` as a PNG.

    Raises:
      OSError: the file cannot be written.
      ValueError: PNG does not support the image's size.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        height, width = image.shape[:2]
        raise ValueError(f"{path}: an image of {width}x{height} cannot be encoded as PNG")
    with writing_bytes(path) as stream:
        stream.write(data.tobytes())
