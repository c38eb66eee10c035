"""Draws the random parameters of the thesis' augmentation chain, without applying them.

A clip passes through blurs, colour changes and a geometric change, each with its own probability
(Stergiou, thesis, chapter 4, with the operations of imgaug). The parameters become a few small
integer arrays, the same for all frames. From them, `host` and `device` produce the same bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vidjax.data.thesis_augmentation import hue, warp

# Sum of a blur kernel's integer weights. Weighted sums of bytes then fit 24 bits.
BLUR_UNIT = 2**15
_SAME = np.arange(256, dtype=np.uint8)


class Draw(NamedTuple):
    """The parameters for one clip, in the order in which they are applied: NumPy or JAX arrays.

    For a batch, the arrays have a leading axis B.

    Attributes:
      blur: int32 `[4, 4]`, weights of the pixels from two before to one after, which sum to
        `BLUR_UNIT`; the border is reflected.
      tone: uint8 `[3, 256]`, lookup table of each channel.
      hue: int32, shift in steps of `vidjax.data.thesis_augmentation.hue`.
      saturation: int32, shift in steps of `vidjax.data.thesis_augmentation.hue`.
      contrast: uint8 `[256]`, lookup table of all channels.
      warp: int32 `[3, 3]`, as in `vidjax.data.thesis_augmentation.warp`.
      flip: bool, whether to mirror left and right.
    """

    blur: Any
    tone: Any
    hue: Any
    saturation: Any
    contrast: Any
    warp: Any
    flip: Any


class Recipe(NamedTuple):
    """The drawn parameters in the thesis' terms. The defaults change nothing.

    Attributes:
      gaussian: standard deviation of the Gaussian blur in pixels, at most 0.3.
      average: side of the average blur's square in pixels, 1 or 2.
      add: value added to each channel.
      multiply: factor of all values.
      gamma: exponent of all values, after division by 255.
      hue: hue shift in turns of the hue circle.
      saturation: saturation shift as a fraction of full saturation.
      contrast: factor of the distance from 128.
      degrees: rotation angle in degrees.
      inset: displacement of the corners of a perspective transform, as in `warp.perspective`.
    """

    gaussian: float = 0.0
    average: int = 1
    add: tuple[int, ...] = (0, 0, 0)
    multiply: float = 1.0
    gamma: float = 1.0
    hue: float = 0.0
    saturation: float = 0.0
    contrast: float = 1.0
    degrees: float = 0.0
    inset: np.ndarray | None = None

    def draw(self, size: int) -> Draw:
        """Converts the parameters to arrays for clips of `size` by `size` pixels."""
        turn, colour = round(self.hue * hue.CIRCLE), round(self.saturation * hue.UNIT)
        tone, contrast = self._tone(), _bytes(128 + self.contrast * (_SAME - 128.0))
        # Without a hue change between them, the two lookup tables can be composed.
        if not turn and not colour:
            tone, contrast = contrast[tone], _SAME
        return Draw(
            blur=_kernel(self.gaussian, self.average),
            tone=tone,
            hue=np.int32(turn),
            saturation=np.int32(colour),
            contrast=contrast,
            warp=self._warp(size),
            flip=np.bool_(False),
        )

    def _tone(self) -> np.ndarray:
        values = (_SAME + np.reshape(self.add, (3, 1))).clip(0, 255)
        values = (values * self.multiply).clip(0, 255)
        return _bytes(255 * (values / 255) ** self.gamma)

    def _warp(self, size: int) -> np.ndarray:
        if self.inset is not None:
            return warp.perspective(self.inset, size)
        return warp.rotation(self.degrees, size)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _kernel(deviation: float, side: int) -> np.ndarray:
    """Convolves a 3x3 Gaussian with an average over `side` x `side` pixels."""
    beside = np.exp(-0.5 / deviation**2) if deviation else 0.0
    row = np.array([beside, 1, beside]) / (1 + 2 * beside)
    gaussian = np.rint(np.outer(row, row) * (BLUR_UNIT // 4)).astype(np.int32)
    gaussian[1, 1] += BLUR_UNIT // 4 - gaussian.sum()
    kernel = np.zeros((4, 4), np.int32)
    for y, x in np.ndindex(side, side):
        kernel[2 - side + y :, 2 - side + x :][:3, :3] += gaussian * (4 // side**2)
    return kernel


@functools.cache
def nothing(size: int) -> Draw:
    """Returns the parameters that leave clips of `size` by `size` pixels unchanged."""
    return Recipe().draw(size)


@dataclass(frozen=True)
class Chain:
    """Draws the parameters of the augmentation chain.

    Attributes:
      chance: probability that the chain is applied to a clip.
      member: probability of each operation, given that the chain is applied.
    """

    chance: float
    member: float

    def draw(self, rng: np.random.Generator, size: int) -> Draw:
        """Draws the arrays for one clip of `size` by `size` pixels; `rng` is unused at chance 0."""
        recipe = self.recipe(rng)
        return recipe.draw(size) if recipe else nothing(size)

    def recipe(self, rng: np.random.Generator) -> Recipe | None:
        """Draws one clip's parameters in the thesis' terms; None if the chain is not applied."""
        if not self.chance or rng.random() >= self.chance:
            return None
        drawn: dict[str, Any] = {}
        for member in _MEMBERS:
            if rng.random() < self.member:
                drawn |= member(rng)
        return Recipe(**drawn)


def _shape(rng: np.random.Generator) -> dict[str, Any]:
    """Draws a rotation or a perspective transform. As in imgaug, corners only move inwards."""
    if rng.random() < 0.5:
        return {"degrees": rng.uniform(-10, 10)}
    deviation = rng.uniform(0.02, 0.05)
    return {"inset": np.abs(rng.normal(0, deviation, (4, 2))).clip(max=0.24)}


# Ranges of the thesis' text where it states them, else of the code released with the thesis.
_MEMBERS: tuple[Callable[[np.random.Generator], dict[str, Any]], ...] = (
    lambda rng: {"gaussian": rng.uniform(0.1, 0.3)},
    lambda rng: {"average": int(rng.integers(1, 3))},
    lambda rng: {"add": tuple(rng.integers(-15, 16, 3).tolist())},
    lambda rng: {"multiply": rng.uniform(0.8, 1.2)},
    lambda rng: {"gamma": rng.uniform(0.85, 1.15)},
    lambda rng: {"hue": rng.uniform(-16, 16) / 255, "saturation": rng.uniform(-16, 16) / 255},
    lambda rng: {"contrast": rng.uniform(0.85, 1.115)},
    _shape,
)
