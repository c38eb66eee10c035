"""Grad-CAM: channels are weighted by the mean of their gradient, added and rectified.

Source: Selvaraju et al., ICCV 2017, eq. 1 and 2, with means over frames, rows and columns. Feature
groups of several sizes (SlowFast) are rectified one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import added, gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_grad_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `relu(sum_k mean(g_k) a_k)` of features a and gradients g of the class's logit."""
    pairs = gradients_at(network, variables, clip, class_index, layer)
    cells = (np.maximum(added(a, g.mean((1, 2, 3))), 0) for a, g in pairs)
    return Heat(tuple(cells), WITH_GRADIENT)


MAPS = (
    Map("grad_cam", "Grad-CAM", draw_grad_cam, "Selvaraju et al., ICCV 2017, eq. 1-2", rank=20),
)
