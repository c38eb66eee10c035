"""Layer-CAM: each activation times its own gradient, where the gradient is positive.

Source: Jiang et al., IEEE Transactions on Image Processing 30, 2021, eq. 5 to 7, in space and time.
It is meant for earlier layers, whose gradients differ from location to location.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_layer_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `relu(sum_k relu(g_k) * a_k)` at each location."""
    pairs = gradients_at(network, variables, clip, class_index, layer)
    cells = (np.maximum((np.maximum(g, 0) * a).sum(0), 0) for a, g in pairs)
    return Heat(tuple(cells), WITH_GRADIENT)


MAPS = (Map("layer_cam", "Layer-CAM", draw_layer_cam, "Jiang et al., TIP 2021, eq. 5-7", rank=60),)
