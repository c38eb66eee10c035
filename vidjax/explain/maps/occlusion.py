"""Occlusion: how much of a class's score is lost where a window of the clip is blank.

Zeiler and Fergus, ECCV 2014, section 4.2, with windows of space and time. A place has the mean of
all windows that it lies in.
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
    """The mean loss of score over all windows that a place lies in; it is signed.

    Args:
      network: that is explained.
      variables: of it.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: has no effect.
      over: windows lie in space and time (`spacetime`), take whole frames (`time`), or all frames
        (`space`).
      frames: that a window takes; None is a quarter of the clip.
      pixels: of a window's sides; None is a quarter of each side.
      steps: in how many steps a window moves by its own size.
      score: of the class, `probability` (the paper) or `logit`.
      blank: what windows hold: `grey` is the mean colour, `still` the mean of all frames in each of
        them, `blurred` the clip without detail.
      progress: told the passes that are done.
    """
    del layer
    size = tuple(map(int, clip.shape[1:4]))
    in_time, in_space = extents_of(over, ("frames", frames), ("pixels", pixels))
    wanted = (frames if in_time else size[0], *(pixels if in_space else own for own in size[1:]))
    windows = [_intervals(own, length, steps) for own, length in zip(size, wanted, strict=True)]
    # What is the same everywhere along an axis takes one cell there.
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
    """Intervals of an axis, from end to end; the last one ends with it."""
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
    ),
)
