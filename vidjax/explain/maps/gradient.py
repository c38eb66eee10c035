"""The gradient of a class's logit: how much the logit changes with each pixel.

Source: Simonyan et al., ICLR workshop 2014, section 3. The map is the largest absolute derivative
of a pixel's three colours, or of a layer's channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import clip_gradients
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_gradient(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `max_k |g_k|` over the colours of a pixel, or over the channels of a layer."""
    found = clip_gradients(network, variables, clip, class_index, layer)
    return Heat(tuple(np.abs(g).max(0) for g in found), WITH_GRADIENT)


MAPS = (
    Map("gradient", "Gradient", draw_gradient, "Simonyan et al., ICLR 2014, section 3.1", rank=90),
)
