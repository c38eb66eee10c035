"""Baseline maps that do not look at the network. A useful saliency map must beat them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vidjax.explain.saliency_map import sum_upsampled
from vidjax.explain.upsampling import Size

# Standard deviations: of the random map's blur, in cells; of the Gaussian in the middle and of the
# movement map's blur, as shares of a side.
_CELLS, _BUMP, _MOVED = 0.5, 0.2, 0.03


@dataclass(frozen=True)
class Baseline:
    """A map computed from the clip alone.

    Attributes:
      title: title for captions.
      draw: `(clip [T, H, W, 3], cells, rng) -> float32 [T, H, W]` in [0, 1]. `cells` are the sizes
        of the features from which the network's maps are computed.
    """

    title: str
    draw: Callable[[np.ndarray, Sequence[Size], np.random.Generator], np.ndarray]


def random_map(clip: np.ndarray, cells: Sequence[Size], rng: np.random.Generator) -> np.ndarray:
    """Returns random noise, as smooth as a map computed from features of these sizes."""
    chance = (ndimage.gaussian_filter(rng.normal(size=own), _CELLS) for own in cells)
    return sum_upsampled(tuple(chance), _size(clip))


def centre_map(clip: np.ndarray, cells: Sequence[Size], rng: np.random.Generator) -> np.ndarray:
    """Returns a Gaussian in the middle of every frame, where people usually are."""
    del cells, rng
    frames, *sides = _size(clip)
    bump = np.ones(())
    for side in sides:
        place = (np.arange(side) - (side - 1) / 2) / side
        bump = np.multiply.outer(bump, np.exp(-((place / _BUMP) ** 2) / 2))
    return np.broadcast_to(np.float32(bump / bump.max()), (frames, *bump.shape))


def movement_map(clip: np.ndarray, cells: Sequence[Size], rng: np.random.Generator) -> np.ndarray:
    """Returns the change of colours between neighbouring frames, blurred."""
    del cells, rng
    frames, *sides = _size(clip)
    if frames == 1:
        return np.zeros(_size(clip), np.float32)
    changes = np.abs(np.gradient(np.asarray(clip, np.float32), axis=0)).mean(-1)
    blurred = ndimage.gaussian_filter(changes, (0, *(_MOVED * side for side in sides)))
    return sum_upsampled((blurred,), _size(clip))


def _size(clip: np.ndarray) -> Size:
    frames, height, width, _ = clip.shape
    return frames, height, width


BASELINES: Mapping[str, Baseline] = {
    "random": Baseline("random map", random_map),
    "centre": Baseline("frame centre", centre_map),
    "movement": Baseline("movement", movement_map),
}
