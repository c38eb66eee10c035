"""Measures how much a network relies on low and on high frequencies of its features.

Source: RMS paper, figures 1 and 4, section 5.1. Features x are split into their local mean (low
frequencies) and the rest (high frequencies). One part is scaled, the other stays as it is.
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
# A traced number is an array whose value is not known.
FACTOR = Kind(
    "a finite number, or a scalar array of JAX",
    lambda factor: (
        number().accepts(factor) or (isinstance(factor, jax.Array) and factor.shape == ())
    ),
)


@dataclass(frozen=True)
class Setting:
    """Scales one part of the features and leaves the other unchanged.

    Attributes:
      part: one of `PARTS`.
      scale: factor of that part.
    """

    part: str
    scale: float

    @property
    def factors(self) -> tuple[float, float]:
        """Factors of the low and of the high frequencies."""
        return (self.scale, 1.0) if self.part == "low" else (1.0, self.scale)


@dataclass(frozen=True)
class Point:
    """A network's accuracy with one setting; the columns of `frequency.csv`.

    Attributes:
      run: name of the network.
      part: as in `Setting`.
      scale: as in `Setting`.
      top1: fraction of correct videos.
      correct: number of correct videos.
      videos: number of all videos.
    """

    run: str
    part: str
    scale: float
    top1: float
    correct: int
    videos: int


def settings_of(scales: Sequence[float]) -> list[Setting]:
    """Combines each part with each scale, which makes two curves."""
    return [Setting(part, scale) for part in PARTS for scale in scales]


def points_of(
    run: str, settings: Sequence[Setting], scores: np.ndarray, labels: np.ndarray
) -> list[Point]:
    """Computes the points of a network's curves.

    Args:
      run: name of the network.
      settings: V settings.
      scores: probabilities with each setting, `[V, N, K]`.
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
    """Scales low and high frequencies of features in networks that are applied inside the context.

    The network needs `RandomScaling` modules, which have no parameters: weights that were trained
    without them fit. The output x of each module becomes low * m + high * (x - m), where m is the
    mean in the module's window. With both factors 1, x stays the same bit for bit. Under `jax.jit`,
    use the context inside the compiled function, which may take the factors as arguments.

    Args:
      low: factor of the low frequencies, the paper's x-bar; a scalar.
      high: factor of the high frequencies, the paper's r; a scalar.
      low_pass: the filter that splits the features, `mean` or `gaussian`. None takes the filter of
        the network's own `RandomScaling`. Its window, deviation and border are used in any case.

    Raises:
      ValueError: no network with such a module was applied, a factor is not a number, or the filter
        does not exist.

    Examples:
      >>> import jax
      >>> from vidjax.explain import scaled_parts
      >>> from vidjax.methods.random_mean_scaling import RandomScaling
      >>> x = jax.random.normal(jax.random.key(0), (1, 4, 8, 8, 2))
      >>> with scaled_parts(low=1.0, high=0.0):  # keeps only the local means
      ...     means = RandomScaling().apply({}, x, train=False)
      >>> bool(means.std() < x.std())
      True
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
            "no features to scale: apply a network with random_scaling in its blocks inside the "
            "context"
        )
