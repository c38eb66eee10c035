"""Integrated gradients: what each pixel adds to a class's logit, from a blank clip to this one.

Sundararajan et al., ICML 2017, eq. 1. The integral is a sum over the middles of equal steps, which
comes nearer with fewer steps than the sum over their ends (eq. 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.blank_clips import BLANK, blank_of
from vidjax.explain.features_and_gradients import clip_gradients
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map, Progress
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import whole

SETTINGS = {"steps": whole(1, 100_000), "blank": BLANK}


def draw_integrated_gradients(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    steps: int = 32,
    blank: str = "grey",
    progress: Progress | None = None,
) -> Heat:
    """`sum_k (x - b)_k mean_n g_k(b + (n - 1/2) / steps (x - b))` over the colours k of a pixel.

    It is signed. With many steps all of it adds up to the logit of the clip without that of the
    blank one.

    Args:
      network: that is explained.
      variables: of it.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: has no effect.
      steps: how many clips on the way.
      blank: what the way begins at: `grey` is the mean colour, `still` the mean of all frames in
        each of them, `blurred` the clip without detail.
      progress: told the passes that are done.
    """
    del layer
    plain = np.asarray(clip, np.float32)
    start = blank_of(plain, blank)
    total = np.zeros(np.moveaxis(plain[0], -1, 0).shape)
    for step in range(steps):
        between = start + (step + 0.5) / steps * (plain - start)
        total += clip_gradients(network, variables, between.astype(clip.dtype), class_index, None)[
            0
        ]
        if progress:
            progress(WITH_GRADIENT * (step + 1), WITH_GRADIENT * steps)
    cells = (np.moveaxis(plain - start, -1, 1)[0] * total / steps).sum(0)
    return Heat((cells,), WITH_GRADIENT * steps)


MAPS = (
    Map(
        "integrated_gradients",
        "Integrated gradients",
        draw_integrated_gradients,
        "Sundararajan et al., ICML 2017, eq. 1",
        SETTINGS,
        layered=False,
        rank=110,
    ),
)
