"""Optical flow: how pixels move from a frame to the next, in the form of the two-stream works.

A field of flow has x (to the right) and y (down), in pixels of the stored frames. It is cut off at
a bound and stored in 8 bits: 0 is minus the bound, 255 the bound, and 128 what does not move
(Simonyan and Zisserman, NeurIPS 2014, section 5; Wang et al., ECCV 2016, section 4). A place of a
clip shows several successive fields, their x and y in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vidjax.settings import check, number, one_of, whole

METHODS = ("dis", "farneback", "tvl1")
# More pixels a frame than stored frames have, and more pairs than anyone has trained with.
FLOW = {"method": one_of(*METHODS), "bound": number(above=0, most=16_384), "pairs": whole(1, 32)}
# What a prepared data set calls its pictures of x and of y.
X, Y = "flow_x", "flow_y"
# What is stored of a pixel that does not move.
STILL = 128
_LARGEST = 255
Fields = Mapping[int, np.ndarray] | Sequence[np.ndarray]
# Two grey pictures to float32 `[H, W, 2]`.
Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Its type hints leave out what only some builds have.
_OPENCV: Any = cv2


@dataclass(frozen=True)
class Flow:
    """How flow is computed and stored.

    Attributes:
      method: `dis` (Kroeger et al., ECCV 2016), `farneback` (SCIA 2003) or `tvl1` (Zach et al.,
        DAGM 2007), which the two-stream works have and OpenCV's contrib build alone.
      bound: pixels that x and y are cut off at, on both sides.
    """

    method: str = "dis"
    bound: float = 20.0

    def __post_init__(self) -> None:
        check(vars(self), FLOW, "flow ")

    @property
    def tag(self) -> str:
        """Short name of the form, part of a data set's directory."""
        return f"flow-{self.method}{self.bound:g}"

    @property
    def is_slow(self) -> bool:
        """Whether a field takes a second and not milliseconds (docs/data.md)."""
        return self.method == "tvl1"

    def require(self) -> None:
        """Refuses a method that this machine's OpenCV lacks.

        Raises:
          ValueError: says how to get it, and what there is instead.
        """
        if self.method == "tvl1" and not hasattr(_OPENCV, "optflow"):
            raise ValueError(
                f"flow by tvl1 is not in this OpenCV ({cv2.__version__}): replace "
                "opencv-python-headless by opencv-contrib-python-headless (pip uninstall, then pip "
                "install), or choose dis or farneback"
            )

    def between(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The fields of a video, uint8 `[H, W, 2]`: of N frames there are N - 1.

        Args:
          frames: RGB, uint8 `[H, W, 3]`, one after the other.

        Raises:
          ValueError: the method is not in this OpenCV, or not for frames so small.
        """
        estimate, earlier = self._estimate(), None
        for frame in frames:
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            if earlier is not None:
                try:
                    yield self.stored(estimate(earlier, grey))
                except cv2.error:
                    height, width = grey.shape
                    raise ValueError(
                        f"OpenCV computes no flow by {self.method} of frames of {width}x{height} "
                        "pixels"
                    ) from None
            earlier = grey

    def stored(self, field: np.ndarray) -> np.ndarray:
        """Pixels of movement, any shape, in 8 bits."""
        share = (np.asarray(field, np.float64) / self.bound).clip(-1, 1)
        return np.rint((share + 1) * (_LARGEST / 2)).astype(np.uint8)

    def pixels(self, stored: np.ndarray) -> np.ndarray:
        """What `stored` made 8 bits of, float32: to a 255th of the bound."""
        return ((stored.astype(np.float32) * 2 / _LARGEST) - 1) * np.float32(self.bound)

    def _estimate(self) -> Estimate:
        self.require()
        if self.method == "farneback":
            return _farneback
        made: Any = (
            _OPENCV.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            if self.method == "dis"
            else _OPENCV.optflow.DualTVL1OpticalFlow_create()
        )
        # None: a field depends on its two frames, and not on the fields before it.
        return lambda first, second: np.asarray(made.calc(first, second, None))


def _farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    settings: dict[str, Any] = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3}
    settings |= {"poly_n": 5, "poly_sigma": 1.2, "flags": 0}
    return np.asarray(_OPENCV.calcOpticalFlowFarneback(first, second, None, **settings))


def places(fields: int, pairs: int) -> int:
    """How many places a clip may be taken from: starts of `pairs` successive fields, at least 1."""
    return max(1, fields - pairs + 1)


def shown_fields(indices: np.ndarray, pairs: int, fields: int) -> np.ndarray:
    """Which fields are shown at some places.

    Args:
      indices: places, int `[T]`; -1 is a place that is filled up.
      pairs: number L of successive fields.
      fields: that the video has; the last one is repeated where they are too few.

    Returns:
      int `[T, L]`; -1 is where nothing moves.
    """
    wanted = np.minimum(indices[:, None] + np.arange(pairs), fields - 1)
    return np.where(indices[:, None] < 0, -1, wanted)


def stacked(fields: Fields, wanted: np.ndarray) -> np.ndarray:
    """Fields uint8 `[H, W, 2]`, as `shown_fields` says: uint8 `[T, H, W, 2 L]`, x and y in turn."""
    known = fields[int(wanted.max())]
    still = np.full_like(known, STILL)
    rows = [[fields[int(one)] if one >= 0 else still for one in row] for row in wanted]
    return np.stack([np.concatenate(row, axis=-1) for row in rows])
