"""Dimming: a clip becomes darker, all of its frames alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.settings import number

SETTINGS = {"most": number(0, 1)}


@dataclass(frozen=True)
class Dimming:
    """Multiplies a clip by one factor.

    Attributes:
      most: share of the light that may be lost.
    """

    most: float = 0.5

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Changes a clip uint8 `[T, H, W, 3]`."""
        return np.rint(clip * (1 - rng.uniform(0, self.most))).astype(np.uint8)


AUGMENTATION = Dimming
