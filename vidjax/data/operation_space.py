"""The operations that RandAugment and TrivialAugment draw from, with their ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vidjax.data import image_operations as operations


class Operation(NamedTuple):
    """An operation and the range of its amount.

    Attributes:
      change: function of `vidjax.data.image_operations`.
      strongest: largest amount; the smallest is 0.
      signed: whether the amount is negated at random.
    """

    change: Callable[[np.ndarray, float], np.ndarray]
    strongest: float
    signed: bool

    def __call__(self, rng: np.random.Generator, clip: np.ndarray, strength: float) -> np.ndarray:
        """Applies the operation to a clip uint8 `[T, H, W, 3]` with `strength` in [0, 1]."""
        sign = -1 if self.signed and rng.random() < 0.5 else 1
        return self.change(clip, sign * strength * self.strongest)


def space(
    *, shear: float, shift: float, turn: float, enhance: float, bits: float
) -> Sequence[Operation]:
    """Returns the 14 operations of both papers.

    Args:
      shear: largest shear.
      shift: largest translation as a fraction of the image side.
      turn: largest rotation in degrees.
      enhance: largest change of the factors of brightness, color, contrast and sharpness.
      bits: largest number of bits, out of 8, that posterizing removes.
    """
    return (
        Operation(operations.identity, 0, signed=False),
        Operation(operations.auto_contrast, 0, signed=False),
        Operation(operations.equalize, 0, signed=False),
        Operation(operations.rotate, turn, signed=True),
        Operation(operations.solarize, 256, signed=False),
        Operation(operations.color, enhance, signed=True),
        Operation(operations.posterize, bits, signed=False),
        Operation(operations.contrast, enhance, signed=True),
        Operation(operations.brightness, enhance, signed=True),
        Operation(operations.sharpness, enhance, signed=True),
        Operation(operations.shear_x, shear, signed=True),
        Operation(operations.shear_y, shear, signed=True),
        Operation(operations.translate_x, shift, signed=True),
        Operation(operations.translate_y, shift, signed=True),
    )
