"""Whether a map tells the truth: where it points, and what the network loses without that.

Pointing game (Zhang et al., ECCV 2016), energy inside a mask (Wang et al., Score-CAM, 2020),
deletion and insertion (Petsiuk et al., RISE, BMVC 2018), for maps over space and time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, stats

from vidjax.explain.back_step import normalize
from vidjax.explain.enlarging import Size, enlarge

LEVEL = 0.95


@dataclass(frozen=True)
class Truth:
    """What is measured of one map; the columns of `truth.csv` beside run, weights and map.

    Attributes:
      pointing: whether its largest value is inside the mask.
      energy: the share of its sum that is inside.
      area: the share of the clip that the mask is: what a map without knowledge points into.
      deletion: mean probability of the class while the largest values' places are blanked; low
        where the map is right.
      insertion: the same while they are shown on a blank clip; high where it is right.
    """

    pointing: float
    energy: float
    area: float
    deletion: float
    insertion: float


def points_inside(volume: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the largest value of `[T, H, W]` is inside a mask of the same size."""
    return bool(mask.reshape(-1)[volume.argmax()])


def energy_inside(volume: np.ndarray, mask: np.ndarray) -> float:
    """The share of a map's sum inside a mask; 0 for a map of zeros."""
    total = float(volume.sum())
    return float(volume[mask].sum()) / total if total else 0.0


def steps_of(volume: np.ndarray, count: int) -> np.ndarray:
    """What is blanked in each of so many steps, bool `[count + 1, T, H, W]`: from none to all.

    Equal numbers of places are added in each, those with the largest values first.
    """
    order = np.empty(volume.size, int)
    order[np.argsort(-volume.reshape(-1), kind="stable")] = np.arange(volume.size)
    limits = np.linspace(0, volume.size, count + 1)
    return (order[None] < limits[:, None]).reshape(count + 1, *volume.shape)


def random_map(rng: np.random.Generator, size: Size, low: Size) -> np.ndarray:
    """A map without knowledge, as smooth as tubes of a network whose features are of size `low`."""
    return normalize(enlarge(ndimage.gaussian_filter(rng.normal(size=low), 0.5), size))


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean of values, and half the width of its 95 % interval over videos (Student's t)."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()), float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
