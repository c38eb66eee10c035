"""Random erasing: covers a random box of the frames (Zhong et al., AAAI 2020; arXiv 2017).

This is algorithm 1 of the paper: area and aspect ratio of the box are uniform. Size and position
are redrawn until the box lies within the frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidjax.settings import Kind, number, one_of, rising

SETTINGS: Mapping[str, Kind] = {
    "chance": number(0, 1),
    "area": rising(number(above=0, below=1)),
    "ratio": rising(number(above=0, most=100)),
    "fill": one_of("noise", "zero", "mean"),
}
# If a box of an extreme shape never fits, the clip is left unchanged.
_TRIES = 100


@dataclass(frozen=True)
class RandomErasing:
    """Covers the same box with the same content in all frames of a clip.

    Attributes:
      chance: probability that a box of a clip is erased.
      area: range of the box's area, as a fraction of the frame's area.
      ratio: range of the box's aspect ratio, height over width.
      fill: content of the box: `noise` (a random colour per pixel), `zero` (black), or `mean` (the
        clip's mean colour).
    """

    chance: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    ratio: tuple[float, float] = (0.3, 1 / 0.3)
    fill: str = "noise"

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Returns a copy of a clip uint8 `[T, H, W, 3]` with a box covered."""
        if rng.random() >= self.chance:
            return clip
        top, left, height, width = self.box(rng, *clip.shape[1:3])
        erased = clip.copy()
        erased[:, top : top + height, left : left + width] = self._cover(rng, clip, height, width)
        return erased

    def box(self, rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
        """Draws top, left, height and width of a box in pixels; all 0 if no box fits."""
        for _ in range(_TRIES):
            area = height * width * rng.uniform(*self.area)
            ratio = rng.uniform(*self.ratio)
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            top, left = int(rng.integers(height)), int(rng.integers(width))
            if top + tall <= height and left + wide <= width:
                return top, left, tall, wide
        return 0, 0, 0, 0

    def _cover(
        self, rng: np.random.Generator, clip: np.ndarray, height: int, width: int
    ) -> np.ndarray:
        if self.fill == "noise":
            return rng.integers(0, 256, (height, width, 3), np.uint8)
        if self.fill == "mean":
            return np.rint(clip.mean(axis=(0, 1, 2))).astype(np.uint8)
        return np.zeros(3, np.uint8)


AUGMENTATION = RandomErasing
