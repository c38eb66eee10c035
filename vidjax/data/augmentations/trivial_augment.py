"""TrivialAugment: one random operation at a random strength (Mueller and Hutter, ICCV 2021).

This is algorithm 1 with the "wide" space of table 8: one of 14 operations and one of 31 strengths,
both uniform. The paper translates by up to 32 pixels whatever the image size. Here the limit is
32/224 of the frame size, so that the differently sized clips of a multigrid schedule are augmented
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidjax.data.operation_space import space
from vidjax.settings import Kind, number

SETTINGS: Mapping[str, Kind] = {"chance": number(0, 1)}
_WIDE = space(shear=0.99, shift=32 / 224, turn=135, enhance=0.99, bits=6)
_STRENGTHS = 31


@dataclass(frozen=True)
class TrivialAugment:
    """Applies one random operation to all frames of a clip.

    Attributes:
      chance: probability that a clip is augmented.
    """

    chance: float = 1.0

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Augments a clip uint8 `[T, H, W, 3]`."""
        if rng.random() >= self.chance:
            return clip
        operation = _WIDE[int(rng.integers(len(_WIDE)))]
        return operation(rng, clip, rng.integers(_STRENGTHS) / (_STRENGTHS - 1))


AUGMENTATION = TrivialAugment
