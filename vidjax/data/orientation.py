"""Rotates and mirrors decoded frames as their display matrix says."""

from __future__ import annotations

import threading
from typing import Any

import av
import numpy as np
from av.sidedata import sidedata
from av.video.reformatter import VideoReformatter


def oriented_image(frame: av.VideoFrame) -> np.ndarray:
    """Converts a frame to an image in display orientation, uint8 `[H, W, 3]`, RGB.

    The display matrix maps a pixel (x, y) to (a x + c y, b x + d y). Angles are rounded to the
    nearest multiple of 90 degrees.
    """
    image = _converter.reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    a, b, c, d = _matrix(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    image = image[:, ::-1] if across < 0 else image
    image = image[::-1] if down < 0 else image
    return np.ascontiguousarray(image)


class _Converter(threading.local):
    """Keeps a converter for each thread: a new one for each frame takes longer than decoding it."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_converter = _Converter()


def _matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    # PyAV's type hints are wrong here. `frame.side_data` is not used because it forms a reference
    # cycle with the frame, which keeps the image in memory until garbage collection.
    container: Any = sidedata.SideDataContainer
    stored = container(frame).get(sidedata.Type.DISPLAYMATRIX)
    if stored is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32)[:5].tolist()
    return a, b, c, d
