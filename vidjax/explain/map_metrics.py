"""Metrics of saliency maps over space and time: localisation, deletion and insertion.

They are the pointing game (Zhang et al., ECCV 2016), the energy inside a mask (Wang et al.,
Score-CAM, 2020), and deletion and insertion (Petsiuk et al., RISE, BMVC 2018).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Locations with equal values are blanked in a random order, the same for every map. In the order of
# the array, the first frames would be blanked first.
_SEED = 0
Score = Callable[[np.ndarray], np.ndarray]


def pointing(volume: np.ndarray, mask: np.ndarray) -> float:
    """Returns whether the largest value of `[T, H, W]` is inside a mask of the same size.

    Returns:
      0 or 1. If several locations are largest, the share of them inside.
    """
    return float(mask[volume == volume.max()].mean())


def energy(volume: np.ndarray, mask: np.ndarray) -> float:
    """Returns the share of a map's sum inside a mask; for a map of zeros, the mask's share."""
    total = volume.sum(dtype=np.float64)
    share = volume[mask].sum(dtype=np.float64) / total if total else mask.mean()
    return min(float(share), 1.0)


def blanking_steps(volume: np.ndarray, count: int) -> np.ndarray:
    """Returns the blanked locations of each step, from none to all: bool `[count + 1, T, H, W]`.

    Each step adds the same number of locations, the largest values first.
    """
    chance = np.random.default_rng(_SEED).random(volume.size)
    order = np.empty(volume.size, int)
    order[np.lexsort((chance, -volume.reshape(-1)))] = np.arange(volume.size)
    limits = np.linspace(0, volume.size, count + 1)
    return (order[None] < limits[:, None]).reshape(count + 1, *volume.shape)


def curves(volume: np.ndarray, steps: int, score: Score) -> tuple[np.ndarray, np.ndarray]:
    """Scores the class while a map's largest values are blanked, and while they are shown.

    Args:
      volume: `[T, H, W]`.
      steps: number of steps; each adds the same number of locations.
      score: maps blanked locations, bool `[N, T, H, W]`, to scores of the class `[N]`.

    Returns:
      Deletion and insertion, `[steps + 1]` each. Deletion goes from the whole clip to a blank one,
        insertion back.
    """
    blank = blanking_steps(volume, steps)
    # The ends of both curves are the same two clips.
    scores = score(np.concatenate([blank, ~blank[1:-1]]))
    deletion, between = scores[: steps + 1], scores[steps + 1 :]
    return deletion, np.concatenate([deletion[-1:], between, deletion[:1]])


def area_under(curve: np.ndarray) -> float:
    """Returns the mean height of a curve with equal steps: the area under it, at most 1."""
    return float(np.trapezoid(curve) / (len(curve) - 1))
