"""Random Mean Scaling: a random factor on the low-frequency part of features.

RMS paper, section 3, eq. 1 to 4: x = mean + r with the local mean of x. In training y = alpha mean
+ r, with one alpha for each clip; in evaluation y = E[alpha] mean + r. The paper compares this with
scaling x itself, or r (table 1c).

The paper describes its mean as "3D average pooling provided by most deep learning frameworks", but
these differ at borders: TensorFlow leaves out positions outside, while PyTorch counts them as
zeros. Eq. 1 divides by the size of the window around a position; here that is the part of the
window inside the clip.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.docstrings import settings_of
from vidjax.layers.low_pass import BORDERS, Factor, scale_parts
from vidjax.settings import Kind, Setting, check, number, one_of, several, whole
from vidjax.slots import (
    STAGES,
    AllSlots,
    Option,
    Places,
    Points,
    insert_module,
    module_factory,
    option_settings,
    parse_points,
    pop_stages,
)

STREAM = "noise"
# Larger factors are typing errors: float32 would lose the features.
_BOUNDED = number(-1000, 1000)


def _is_distribution(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        return False
    kind, first, second = value
    if not (_BOUNDED.accepts(first) and _BOUNDED.accepts(second)):
        return False
    if isinstance(kind, str) and kind == "normal":
        return bool(second >= 0)
    return isinstance(kind, str) and kind == "uniform" and bool(first <= second)


FILTERS = ("mean", "gaussian")
LOW_PASS = one_of(*FILTERS)
SETTINGS: Mapping[str, Kind] = {
    "target": one_of("mean", "input", "residual"),
    "distribution": Kind(
        "('normal', mean, deviation) with a deviation of at least 0, or ('uniform', low, high) "
        "with low <= high, of numbers in [-1000, 1000]",
        _is_distribution,
    ),
    "low_pass": LOW_PASS,
    "std": Kind("a number above 0 and at most 1000", number(above=0, most=1000).accepts),
    "window": Kind(
        "three odd numbers, along T, H and W, so that each has a middle",
        several(
            Kind("an odd number", lambda size: whole(1, 255).accepts(size) and size % 2 == 1), 3
        ).accepts,
    ),
    "border": one_of(*BORDERS),
}
_PARTS = {"target": Kind("mean or residual", one_of("mean", "residual").accepts)}
# Settings that need others: with the target `input`, x is not split into parts.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    "low_pass": _PARTS,
    "std": _PARTS | {"low_pass": Kind("gaussian", one_of("gaussian").accepts)},
    "window": _PARTS,
    "border": _PARTS,
}


class RandomScaling(nn.Module):
    """Scales a part of the features of each clip by a random factor, in training.

    Attributes:
      target: what is scaled: `mean` (RMS), `input` (the features), or `residual` (the features
        minus their mean).
      distribution: distribution of alpha: `("normal", mean, deviation)` or `("uniform", low,
        high)`.
      low_pass: filter of the local mean: `mean` or `gaussian`.
      std: standard deviation of the Gaussian, in positions.
      window: window of the local mean along T, H, W; odd numbers.
      border: how the local mean treats positions outside of the clip: `clip` leaves them out, so
        that it is the mean of the positions inside, as in eq. 1; `zero` counts them as zeros, the
        default of PyTorch's average pooling; `replicate` uses the nearest position inside.
    """

    target: str = "mean"
    distribution: tuple[Any, ...] = ("normal", 1.0, 0.5)
    low_pass: str = "mean"
    std: float = 0.4
    window: tuple[int, int, int] = (3, 3, 3)
    border: str = "clip"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape; training draws from the stream `noise`."""
        check(vars(self), SETTINGS, "random_scaling ")
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

    def scale(
        self, x: jax.Array, low: Factor, high: Factor, low_pass: str | None = None
    ) -> jax.Array:
        """Multiplies the low-frequency part of x by `low`, and the rest by `high`.

        Args:
          x: `[B, T, H, W, C]`.
          low: a scalar or `[B, 1, 1, 1, 1]`.
          high: a scalar or `[B, 1, 1, 1, 1]`.
          low_pass: filter; None is the module's own.
        """
        std = self.std if (low_pass or self.low_pass) == "gaussian" else None
        return scale_parts(x, low, high, self.window, std, self.border)


def sample(key: jax.Array, distribution: Sequence[Any], count: int) -> jax.Array:
    """Draws `count` float32 numbers from a distribution `("normal", ...)` or `("uniform", ...)`."""
    kind, first, second = distribution
    if kind == "normal":
        return first + second * jax.random.normal(key, (count,))
    return jax.random.uniform(key, (count,), minval=first, maxval=second)


def expectation(distribution: Sequence[Any]) -> float:
    """Returns the mean of a distribution.

    Examples:
      >>> from vidjax.methods.random_mean_scaling import expectation
      >>> expectation(("uniform", 0.5, 2.5))
      1.5
    """
    kind, first, second = distribution
    return float(first if kind == "normal" else (first + second) / 2)


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts it into the branches of the last two stages, res4 and res5 (RMS, section 4.1)."""
    values = option_settings("random_scaling", value)
    points = Points(basic=("norm1", "norm2"), bottleneck=("norm3",))
    if "at" in values:
        at = parse_points("random_scaling", values.pop("at"), places)
        points = dataclasses.replace(points, **{places.block: at})
    stages = pop_stages("random_scaling", values, places, last=2)
    make = module_factory("random_scaling", RandomScaling, values, SETTINGS, NEEDS, more=_WHERE)
    return insert_module("random_scaling", slots, stages, "before_norm", make, points=points)


_WHERE: Mapping[str, Setting] = {
    "at": Setting(
        ...,
        "a tuple of points, such as ('norm3',)",
        "points in the branch of a block; if left out, before both norms of a basic block and "
        "before the last norm of a bottleneck. The convolutions of multi_temporal include norm and "
        "activation, so normK and actK are both after them",
    ),
    "stages": dataclasses.replace(
        STAGES["stages"],
        meaning="stages to insert it in; if left out, the last two that have blocks",
    ),
}
OPTIONS = (
    Option(
        "random_scaling",
        fill,
        "a mapping of settings; {} gives the paper's values",
        "Random Mean Scaling, and the variants that the paper compares it with",
        {**settings_of(SETTINGS, RandomScaling), **_WHERE},
        rank=30,
    ),
)
