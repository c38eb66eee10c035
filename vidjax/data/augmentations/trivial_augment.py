"""TrivialAugment: one operation at a random strength (Mueller and Hutter, ICCV 2021).

Algorithm 1 with the space "wide" of table 8: an operation of 14 and one of 31 strengths, both
uniform. The paper shifts by up to 32 pixels of pictures of any size; here it is that share of a
picture of 224 pixels, so that clips of a multigrid's sizes change alike.
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
    """One operation for all frames of a clip.

    Attributes:
      chance: of a clip to be changed.
    """

    chance: float = 1.0

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Changes a clip uint8 `[T, H, W, 3]`."""
        if rng.random() >= self.chance:
            return clip
        operation = _WIDE[int(rng.integers(len(_WIDE)))]
        return operation(rng, clip, rng.integers(_STRENGTHS) / (_STRENGTHS - 1))


AUGMENTATION = TrivialAugment
