"""Occlusion: how much a class's score drops when a window of the clip is blank.

Source: Zeiler and Fergus, ECCV 2014, section 4.2, with windows in space and time. The value of a
location is the mean over all windows that contain it.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from vidjax.explain.blank_clips import BLANK
from vidjax.explain.map_types import Heat, Map, Progress
from vidjax.explain.perturbation import OVER, SCORE, Perturbed, extents_of
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import optional, whole

SETTINGS = {
    "over": OVER,
    "frames": optional(whole(1, 100_000)),
    "pixels": optional(whole(1, 100_000)),
    "steps": whole(1, 1000),
    "score": SCORE,
    "blank": BLANK,
}
# The share of a clip that a window takes along each axis.
_SHARE = 4


def draw_occlusion(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    over: str = "spacetime",
    frames: int | None = None,
    pixels: int | None = None,
    steps: int = 2,
    score: str = "probability",
    blank: str = "grey",
    progress: Progress | None = None,
) -> Heat:
    """Computes the mean drop of the score over all windows that contain a location, with its sign.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: has no effect.
      over: windows in space and time (`spacetime`), of whole frames (`time`), or through all
        frames (`space`).
      frames: frames per window; None is a quarter of the clip.
      pixels: side of a window in pixels; None is a quarter of each side of the clip.
      steps: number of steps in which a window moves by its own size.
      score: score of the class, `probability` (the paper) or `logit`.
      blank: filling of a window: `grey` is the mean colour, `still` the mean of all frames,
        `blurred` the clip without detail.
      progress: called with the number of finished passes and the total.
    """
    del layer
    size = tuple(map(int, clip.shape[1:4]))
    in_time, in_space = extents_of(over, ("frames", frames), ("pixels", pixels))
    wanted = (frames if in_time else size[0], *(pixels if in_space else own for own in size[1:]))
    windows = [_intervals(own, length, steps) for own, length in zip(size, wanted, strict=True)]
    # An axis along which the map does not vary has one cell.
    shape = [
        own if told else 1 for own, told in zip(size, (in_time, in_space, in_space), strict=True)
    ]

    def masks() -> Any:
        yield np.ones((1, 1, 1), np.float32)
        for window in itertools.product(*windows):
            mask = np.ones(shape, np.float32)
            mask[window] = 0
            yield mask

    moments, rows, columns = (len(own) for own in windows)
    count = 1 + moments * rows * columns
    seen = Perturbed(network, variables, clip, class_index, score, blank)
    answers = seen.answers(masks(), count, progress)
    _, whole_score = next(answers)
    lost, times = np.zeros(shape), np.zeros(shape)
    for mask, own in answers:
        lost += (1 - mask) * (whole_score - own)
        times += 1 - mask
    return Heat((lost / times,), count, (moments, rows, columns))


def _intervals(size: int, length: int | None, steps: int) -> list[slice]:
    """Returns intervals that cover an axis; the last one ends with the axis."""
    length = min(length or -(-size // _SHARE), size)
    stride = max(1, length // steps)
    starts = [*range(0, size - length, stride), size - length]
    return [slice(start, start + length) for start in starts]


MAPS = (
    Map(
        "occlusion",
        "Occlusion",
        draw_occlusion,
        "Zeiler and Fergus, ECCV 2014, section 4.2",
        SETTINGS,
        layered=False,
        rank=120,
        signed=True,
    ),
)
