"""How much a network relies on the low and on the high frequencies of its features.

RMS paper, figures 1 and 4, section 5.1: features x are taken apart into their local mean (low
frequencies) and the rest (high ones), and one part is scaled while the other is unchanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from vidjax.evaluation.metrics import top_k
from vidjax.methods.random_mean_scaling import LOW_PASS, RandomScaling
from vidjax.settings import Kind, check, number, optional

PARTS = ("low", "high")
Scale = float | jax.Array
# Traced numbers are arrays, whose values are not known.
FACTOR = Kind(
    "a finite number, or a scalar array of JAX",
    lambda factor: (
        number().accepts(factor) or (isinstance(factor, jax.Array) and factor.shape == ())
    ),
)


@dataclass(frozen=True)
class Setting:
    """One part is scaled, the other unchanged.

    Attributes:
      part: one of `PARTS`.
      scale: its factor.
    """

    part: str
    scale: float

    @property
    def factors(self) -> tuple[float, float]:
        """Of the low and of the high frequencies."""
        return (self.scale, 1.0) if self.part == "low" else (1.0, self.scale)


@dataclass(frozen=True)
class Point:
    """How many videos a network has right in a setting; the columns of `frequency.csv`.

    Attributes:
      run: name of the network.
      part: as in `Setting`.
      scale: as in `Setting`.
      top1: fraction of the videos whose class is right.
      correct: number of those videos.
      videos: number of all.
    """

    run: str
    part: str
    scale: float
    top1: float
    correct: int
    videos: int


def settings_of(scales: Sequence[float]) -> list[Setting]:
    """Each part with each scale: two curves."""
    return [Setting(part, scale) for part in PARTS for scale in scales]


def points_of(
    run: str, settings: Sequence[Setting], scores: np.ndarray, labels: np.ndarray
) -> list[Point]:
    """The curves of a network.

    Args:
      run: its name.
      settings: V settings.
      scores: `[V, N, K]`, probabilities in each setting.
      labels: int `[N]`.
    """
    points = []
    for setting, own in zip(settings, scores, strict=True):
        top1, videos = top_k(own, labels, 1), len(labels)
        correct = round(top1 * videos)
        points.append(Point(run, setting.part, setting.scale, top1, correct, videos))
    return points


@contextlib.contextmanager
def scaled_parts(low: Scale, high: Scale, low_pass: str | None = None) -> Iterator[None]:
    """Scales the parts of the features in a network that is applied inside.

    It happens where the network has a `RandomScaling`, which is without parameters, so that
    weights that were trained without it fit. What leaves it, x, becomes low m + high (x - m) with
    m the mean in its own window; with both factors 1 it stays, bit for bit. Under `jax.jit` this
    belongs inside the compiled function, which may take the factors as arguments.

    Args:
      low: factor of the low frequencies, the paper's x-bar; a scalar.
      high: factor of the high frequencies, the paper's r; a scalar.
      low_pass: filter that takes the parts apart, `mean` or `gaussian`; None is that of the
        network's own `RandomScaling`, whose window, deviation and border hold in any case.

    Raises:
      ValueError: no network that has such a place was applied, a factor is no number, or there is
        no such filter.
    """
    check({"low": low, "high": high}, {"low": FACTOR, "high": FACTOR})
    check({"low_pass": low_pass}, {"low_pass": optional(LOW_PASS)})
    places = []

    def intercept(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        x = call(*args, **kwargs)
        module = context.module
        if not isinstance(module, RandomScaling) or context.method_name != "__call__":
            return x
        places.append(module.path)
        return module.scale(x, low, high, low_pass)

    with nn.intercept_methods(intercept):
        yield
    if not places:
        raise ValueError(
            "no features to scale: no network with random_scaling in its blocks was applied"
        )
