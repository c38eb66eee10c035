"""Optical flow between successive frames, in the format of the two-stream papers.

A flow field has a component x (to the right) and y (down), in pixels of the stored frames. It is
clipped to a bound and stored in 8 bits: 0 is minus the bound, 255 is the bound, and 128 is no
motion (Simonyan and Zisserman, NeurIPS 2014, section 5; Wang et al., ECCV 2016, section 4). One
time step of a clip stacks several successive fields, x and y alternating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vidjax.settings import check, number, one_of, whole

METHODS = ("dis", "farneback", "tvl1")
# More pixels than stored frames have, and more pairs than anyone has trained with.
FLOW = {"method": one_of(*METHODS), "bound": number(above=0, most=16_384), "pairs": whole(1, 32)}
# Feature names of the x and y images in a prepared data set.
X, Y = "flow_x", "flow_y"
# Stored value of a pixel that does not move.
STILL = 128
_LARGEST = 255
Fields = Mapping[int, np.ndarray] | Sequence[np.ndarray]
# Two grey images to float32 `[H, W, 2]`.
Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]
# OpenCV's type hints lack functions that only some builds have.
_OPENCV: Any = cv2


@dataclass(frozen=True)
class Flow:
    """How flow is computed and stored.

    Attributes:
      method: `dis` (Kroeger et al., ECCV 2016), `farneback` (SCIA 2003) or `tvl1` (Zach et al.,
        DAGM 2007), which the two-stream papers use and only OpenCV's contrib build has.
      bound: x and y are clipped to +/- this many pixels.
    """

    method: str = "dis"
    bound: float = 20.0

    def __post_init__(self) -> None:
        check(vars(self), FLOW, "flow ")

    @property
    def tag(self) -> str:
        """Short name of these settings, part of the name of a data set's folder."""
        return f"flow-{self.method}{self.bound:g}"

    @property
    def is_slow(self) -> bool:
        """Whether a field takes about a second instead of milliseconds (docs/data.md)."""
        return self.method == "tvl1"

    def require(self) -> None:
        """Checks that this machine's OpenCV has the method.

        Raises:
          ValueError: it does not; the message says how to install it and names alternatives.
        """
        if self.method == "tvl1" and not hasattr(_OPENCV, "optflow"):
            raise ValueError(
                f"this OpenCV ({cv2.__version__}) has no tvl1 flow: replace "
                "opencv-python-headless by opencv-contrib-python-headless (pip uninstall, then pip "
                "install), or choose dis or farneback"
            )

    def between(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Computes the flow fields of a video, uint8 `[H, W, 2]`: N frames give N - 1 fields.

        Args:
          frames: successive RGB frames, uint8 `[H, W, 3]`.

        Raises:
          ValueError: this OpenCV lacks the method, or the frames are too small for it.
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
                        f"OpenCV cannot compute {self.method} flow of frames of {width}x{height} "
                        "pixels"
                    ) from None
            earlier = grey

    def stored(self, field: np.ndarray) -> np.ndarray:
        """Quantizes displacements in pixels, of any shape, to uint8."""
        share = (np.asarray(field, np.float64) / self.bound).clip(-1, 1)
        return np.rint((share + 1) * (_LARGEST / 2)).astype(np.uint8)

    def pixels(self, stored: np.ndarray) -> np.ndarray:
        """Inverts `stored`: float32 displacements in pixels, exact to a 255th of the bound."""
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
        # None: a field depends only on its two frames, not on the previous field.
        return lambda first, second: np.asarray(made.calc(first, second, None))


def _farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    settings: dict[str, Any] = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3}
    settings |= {"poly_n": 5, "poly_sigma": 1.2, "flags": 0}
    return np.asarray(_OPENCV.calcOpticalFlowFarneback(first, second, None, **settings))


def num_stacks(fields: int, pairs: int) -> int:
    """Returns the number of positions of a stack of `pairs` successive fields, at least 1."""
    return max(1, fields - pairs + 1)


def stack_indices(indices: np.ndarray, pairs: int, fields: int) -> np.ndarray:
    """Returns the indices of the fields that are stacked at each position.

    >>> stack_indices(np.array([0, 2]), pairs=2, fields=3).tolist()
    [[0, 1], [2, 2]]

    Args:
      indices: positions, int `[T]`; -1 is padding.
      pairs: number L of successive fields in a stack.
      fields: number of fields of the video; the last one is repeated if there are too few.

    Returns:
      int `[T, L]`; -1 is padding without motion.
    """
    wanted = np.minimum(indices[:, None] + np.arange(pairs), fields - 1)
    return np.where(indices[:, None] < 0, -1, wanted)


def stack_fields(fields: Fields, wanted: np.ndarray) -> np.ndarray:
    """Stacks fields uint8 `[H, W, 2]` by `stack_indices`: uint8 `[T, H, W, 2 L]`, x, y, x, ..."""
    known = fields[int(wanted.max())]
    still = np.full_like(known, STILL)
    rows = [[fields[int(one)] if one >= 0 else still for one in row] for row in wanted]
    return np.stack([np.concatenate(row, axis=-1) for row in rows])
