"""HiResCAM: each activation times its own gradient, added over channels.

Source: Draelos and Carin, arXiv 2011.08891, 2020, the equation of section 3 without means, in space
and time. The map is not rectified. If the network is homogeneous after the features, the map adds
up to the class's logit.
"""

from __future__ import annotations

from typing import Any

from vidjax.explain.features_and_gradients import gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_hires_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `sum_k g_k * a_k` at each location."""
    pairs = gradients_at(network, variables, clip, class_index, layer)
    return Heat(tuple((a * g).sum(0) for a, g in pairs), WITH_GRADIENT)


MAPS = (
    Map(
        "hires_cam",
        "HiResCAM",
        draw_hires_cam,
        "Draelos and Carin, arXiv 2011.08891, 2020, section 3",
        rank=40,
        signed=True,
    ),
)
