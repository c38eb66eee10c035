"""Integrated gradients: what each pixel adds to a class's logit, from a blank clip to this one.

Source: Sundararajan et al., ICML 2017, eq. 1. The integral is approximated at the midpoints of
equal steps, which needs fewer steps than the sum over their ends (eq. 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.blank_clips import BLANK, blank_clip
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
    """Computes `sum_k (x - b)_k mean_n g_k(b + (n - 1/2) / steps (x - b))` over the colours k.

    The map is signed. With many steps it adds up to the logit of the clip minus the logit of the
    blank clip.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: has no effect.
      steps: number of clips between the blank clip and this one.
      blank: the blank clip b. `grey` is the mean colour, `still` repeats the mean of all frames,
        `blurred` is the clip without detail.
      progress: called with the number of finished passes and the total.
    """
    del layer
    plain = np.asarray(clip, np.float32)
    start = blank_clip(plain, blank)
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
        signed=True,
    ),
)
