"""RandAugment: random operations of one magnitude (Cubuk et al., NeurIPS 2020, algorithm 1).

Each layer draws one of 14 operations. The maximum magnitudes are those of AutoAugment. As in
torchvision, the factors of brightness, color, contrast and sharpness deviate from 1 in either
direction, so that a larger magnitude is a larger change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidjax.data.operation_space import space
from vidjax.settings import Kind, number, one_of, whole

SETTINGS: Mapping[str, Kind] = {
    "layers": whole(1, 14),
    "magnitude": number(0, 30),
    "levels": one_of(10, 30),
    "chance": number(0, 1),
}
_SPACE = space(shear=0.3, shift=150 / 331, turn=30, enhance=0.9, bits=4)


@dataclass(frozen=True)
class RandAugment:
    """Applies the same random operations to all frames of a clip.

    Attributes:
      layers: number of operations, applied one after the other (the paper's N).
      magnitude: strength of every operation, up to `levels` (the paper's M).
      levels: the largest magnitude: 10 as in the paper, or 30 as in torchvision.
      chance: probability that a clip is augmented.

    Raises:
      ValueError: the magnitude is above `levels`.
    """

    layers: int = 2
    magnitude: float = 9.0
    levels: int = 10
    chance: float = 1.0

    def __post_init__(self) -> None:
        if self.magnitude > self.levels:
            raise ValueError(
                f"magnitude = {self.magnitude} is above levels = {self.levels}; lower it, or set "
                "levels = 30"
            )

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Augments a clip uint8 `[T, H, W, 3]`."""
        if rng.random() >= self.chance:
            return clip
        for index in rng.integers(len(_SPACE), size=self.layers):
            clip = _SPACE[index](rng, clip, self.magnitude / self.levels)
        return clip


AUGMENTATION = RandAugment
