"""Random Mean Scaling: a random factor on the low-frequency part of features.

RMS paper, section 3, eq. 1 to 4: x = mean + r with the local mean of x; in training
y = alpha mean + r with one alpha for each clip, in evaluation y = E[alpha] mean + r. Scaling x
itself, or r, is what the paper compares it with (table 1c).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.low_pass import BORDERS, Factor, scale_parts

TARGETS = ("mean", "input", "residual")
FILTERS = ("mean", "gaussian")
STREAM = "noise"


class RandomScaling(nn.Module):
    """Scales a part of the features of each clip at random, in training.

    Attributes:
      target: what is scaled: `mean` (RMS), `input` (the features), `residual` (features without
        their mean).
      distribution: of alpha: `("normal", mean, deviation)` or `("uniform", from, to)`.
      low_pass: `mean` or `gaussian`.
      std: deviation of the Gaussian, in positions.
      window: along T, H, W; odd.
      border: as in `layers.low_pass`.
    """

    target: str = "mean"
    distribution: tuple[Any, ...] = ("normal", 1.0, 0.5)
    low_pass: str = "mean"
    std: float = 0.4
    window: tuple[int, int, int] = (3, 3, 3)
    border: str = "clip"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape; in training it draws from stream `noise`."""
        check(self)
        if train:
            draw = sample(self.make_rng(STREAM), self.distribution, x.shape[0])
            alpha = draw.astype(x.dtype)[:, None, None, None, None]
        elif (mean := expectation(self.distribution)) == 1:
            return x
        else:
            alpha = jnp.asarray(mean, x.dtype)
        if self.target == "input":
            return alpha * x
        low, high = (alpha, 1.0) if self.target == "mean" else (1.0, alpha)
        return self.scale(x, low, high)

    def scale(self, x: jax.Array, low: Factor, high: Factor) -> jax.Array:
        """The low-frequency part of x times `low` and the rest times `high`."""
        std = self.std if self.low_pass == "gaussian" else None
        return scale_parts(x, low, high, self.window, std, self.border)


def sample(key: jax.Array, distribution: Sequence[Any], count: int) -> jax.Array:
    """So many draws, float32, of `("normal", mean, deviation)` or `("uniform", from, to)`."""
    kind, first, second = distribution
    if kind == "normal":
        return first + second * jax.random.normal(key, (count,))
    return jax.random.uniform(key, (count,), minval=first, maxval=second)


def expectation(distribution: Sequence[Any]) -> float:
    """Mean of a distribution."""
    kind, first, second = distribution
    return float(first if kind == "normal" else (first + second) / 2)


def check(scaling: RandomScaling) -> None:
    """Refuses settings that mean nothing.

    Raises:
      ValueError: names the setting and what is allowed.
    """
    for name, known in (("target", TARGETS), ("low_pass", FILTERS), ("border", BORDERS)):
        value = getattr(scaling, name)
        if value not in known:
            raise ValueError(f"random_scaling {name} = {value!r}: one of {', '.join(known)}")
    if not _is_distribution(scaling.distribution):
        raise ValueError(
            f"random_scaling distribution = {scaling.distribution!r}: ('normal', mean, deviation) "
            "with a deviation of at least 0, or ('uniform', from, to) in this order"
        )
    window, std = scaling.window, scaling.std
    if not isinstance(window, tuple) or len(window) != 3 or not all(map(_is_odd, window)):
        raise ValueError(
            f"random_scaling window = {window!r}: three odd numbers, along T, H and W, so that "
            "each has a middle"
        )
    if not _is_number(std) or std <= 0:
        raise ValueError(f"random_scaling std = {std!r}: a number above 0")


def _is_distribution(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 3 or not all(map(_is_number, value[1:])):
        return False
    kind, first, second = value
    return (kind == "normal" and second >= 0) or (kind == "uniform" and first <= second)


def _is_number(value: Any) -> bool:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def _is_odd(value: Any) -> bool:
    return isinstance(value, int) and value > 0 and value % 2 == 1
