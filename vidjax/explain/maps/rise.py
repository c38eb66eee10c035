"""RISE: the mean of random masks, weighted by the class's score for the masked clip.

Source: Petsiuk et al., BMVC 2018, section 3.2 and eq. 6. Masks are random cells of a grid in space
and time, upsampled linearly and shifted at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidjax.explain.blank_clips import BLANK
from vidjax.explain.map_types import Heat, Map, Progress
from vidjax.explain.perturbation import OVER, SCORE, Perturbed, extents_of
from vidjax.explain.traced_network import TracedNetwork
from vidjax.explain.upsampling import upsample
from vidjax.settings import number, optional, whole

SETTINGS = {
    "over": OVER,
    "masks": whole(1, 10_000_000),
    "times": optional(whole(1, 1000)),
    "sides": optional(whole(1, 1000)),
    "share": number(above=0, below=1),
    "seed": whole(0, 2**31 - 1),
    "score": SCORE,
    "blank": BLANK,
}
_TIMES, _SIDES = 4, 7


def draw_rise(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    over: str = "spacetime",
    masks: int = 1000,
    times: int | None = None,
    sides: int | None = None,
    share: float = 0.5,
    seed: int = 0,
    score: str = "probability",
    blank: str = "grey",
    progress: Progress | None = None,
) -> Heat:
    """Computes `sum_n f(x * m_n) m_n / (masks * share)` over random masks m.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: has no effect.
      over: masks vary in space and time (`spacetime`), show whole frames (`time`), or are the same
        in all frames (`space`).
      masks: number of masks. The paper uses 4000 or more; fewer masks give a noisier map.
      times: cells of the grid in time; None is 4.
      sides: cells along each side of a frame; None is 7, as in the paper.
      share: share of the cells that are shown, the paper's p.
      seed: seed of the masks. Mask number n depends only on the seed and n.
      score: score of the class, `probability` (the paper) or `logit`.
      blank: what replaces the hidden parts. `grey` is the mean colour, `still` the mean of all
        frames, `blurred` the clip without detail.
      progress: called with the number of finished passes and the total.
    """
    del layer
    in_time, in_space = extents_of(over, ("times", times), ("sides", sides))
    told = (in_time, in_space, in_space)
    size = [own if here else 1 for own, here in zip(clip.shape[1:4], told, strict=True)]
    sides = sides or _SIDES
    grid = [min(pair) for pair in zip((times or _TIMES, sides, sides), size, strict=True)]
    drawn = (random_mask(np.random.default_rng((seed, n)), size, grid, share) for n in range(masks))
    total = np.zeros(size)
    seen = Perturbed(network, variables, clip, class_index, score, blank)
    for mask, own in seen.answers(drawn, masks, progress):
        total += own * mask
    return Heat((total / (masks * share),), masks, (grid[0], grid[1], grid[2]))


def random_mask(
    rng: np.random.Generator, size: Sequence[int], grid: Sequence[int], share: float
) -> np.ndarray:
    """Draws a mask `[T, H, W]` in [0, 1] whose mean is `share` at every location.

    Args:
      rng: random number generator.
      size: T, H, W.
      grid: number of cells along each axis, at most its size.
      share: probability that a cell is 1.
    """
    cells = (rng.random(grid) < share).astype(np.float32)
    lengths = [-(-own // count) for own, count in zip(size, grid, strict=True)]
    # One cell more than the clip holds, so that the mask can be shifted by up to one cell.
    spread = [(count + 1) * length for count, length in zip(grid, lengths, strict=True)]
    shifts = [int(rng.integers(length + 1)) for length in lengths]
    large = upsample(cells, (spread[0], spread[1], spread[2]), 1)
    window = tuple(slice(shift, shift + own) for shift, own in zip(shifts, size, strict=True))
    return large[window]


MAPS = (
    Map(
        "rise",
        "RISE",
        draw_rise,
        "Petsiuk et al., BMVC 2018, eq. 6",
        SETTINGS,
        layered=False,
        rank=130,
    ),
)
