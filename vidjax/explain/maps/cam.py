"""Class activation maps: channels are weighted by the class's row and added.

Source: Zhou et al., CVPR 2016, eq. 2. If other layers lie between the pooled features and the
logits, or if an earlier layer is explained, the gradient of the class's logit replaces the row.
"""

from __future__ import annotations

from typing import Any

from vidjax.explain.features_and_gradients import added, gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Adds the channels, each times the sum of its gradient, as published scripts of tubes do."""
    pairs = gradients_at(network, variables, clip, class_index, layer)
    return Heat(tuple(added(a, g.sum((1, 2, 3))) for a, g in pairs), WITH_GRADIENT)


MAPS = (Map("cam", "CAM", draw_cam, "Zhou et al., CVPR 2016, eq. 2", rank=10),)
