"""Whether a map tells the truth: where it points, and what the network loses without that.

Pointing game (Zhang et al., ECCV 2016), energy inside a mask (Wang et al., Score-CAM, 2020),
deletion and insertion (Petsiuk et al., RISE, BMVC 2018), for maps over space and time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Places that a map does not tell apart come in an order of chance, the same for every map: in the
# order of the array, the first frames would be blanked first.
_SEED = 0
Score = Callable[[np.ndarray], np.ndarray]


def pointing(volume: np.ndarray, mask: np.ndarray) -> float:
    """Whether the largest value of `[T, H, W]` is inside a mask of the same size.

    Returns:
      0 or 1; of several places that are largest, the share that is inside.
    """
    return float(mask[volume == volume.max()].mean())


def energy(volume: np.ndarray, mask: np.ndarray) -> float:
    """The share of a map's sum inside a mask; for a map of zeros, that of the places."""
    total = volume.sum(dtype=np.float64)
    share = volume[mask].sum(dtype=np.float64) / total if total else mask.mean()
    return min(float(share), 1.0)


def steps_of(volume: np.ndarray, count: int) -> np.ndarray:
    """What is blanked in each of so many steps, bool `[count + 1, T, H, W]`: from none to all.

    Equal numbers of places are added in each, those with the largest values first.
    """
    chance = np.random.default_rng(_SEED).random(volume.size)
    order = np.empty(volume.size, int)
    order[np.lexsort((chance, -volume.reshape(-1)))] = np.arange(volume.size)
    limits = np.linspace(0, volume.size, count + 1)
    return (order[None] < limits[:, None]).reshape(count + 1, *volume.shape)


def curves(volume: np.ndarray, steps: int, score: Score) -> tuple[np.ndarray, np.ndarray]:
    """What the class scores while a map's largest values are blanked, and while they are shown.

    Args:
      volume: `[T, H, W]`.
      steps: how many; places are equally many in each.
      score: of places that are blank, bool `[N, T, H, W]`, to `[N]` scores of the class.

    Returns:
      Deletion and insertion, `[steps + 1]` each: the one from the whole clip to a blank one, the
      other back.
    """
    blank = steps_of(volume, steps)
    # The ends of both curves are the same two clips.
    scores = score(np.concatenate([blank, ~blank[1:-1]]))
    deletion, between = scores[: steps + 1], scores[steps + 1 :]
    return deletion, np.concatenate([deletion[-1:], between, deletion[:1]])


def area_under(curve: np.ndarray) -> float:
    """The mean height of a curve of equal steps: its area, of which 1 is the most."""
    return float(np.trapezoid(curve) / (len(curve) - 1))
