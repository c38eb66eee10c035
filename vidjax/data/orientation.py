"""Pictures as they are shown: cameras store them turned or mirrored, and say so beside them."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.sidedata import sidedata


def upright(frame: av.VideoFrame) -> np.ndarray:
    """A frame's picture as it is shown, uint8 `[H, W, 3]`, RGB.

    Its display matrix maps a pixel (x, y) to (a x + c y, b x + d y). Of other angles than multiples
    of 90 degrees the nearest is taken.
    """
    picture = frame.to_ndarray(format="rgb24")
    a, b, c, d = _matrix(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture = picture.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    picture = picture[:, ::-1] if across < 0 else picture
    picture = picture[::-1] if down < 0 else picture
    return np.ascontiguousarray(picture)


def _matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    # Typed without arguments and with texts as keys, which is not so. `frame.side_data` stays in
    # the frame, to which it refers: a circle that holds the picture until Python looks for such.
    container: Any = sidedata.SideDataContainer
    stored = container(frame).get(sidedata.Type.DISPLAYMATRIX)
    if stored is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32)[:5].tolist()
    return a, b, c, d
