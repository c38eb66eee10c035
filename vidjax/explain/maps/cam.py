"""Class activation maps: channels weighted by the class's row, and added.

Zhou et al., CVPR 2016, eq. 2. Where other layers lie between the pooled features and the logits,
or features are those of an earlier layer, the row is the gradient of the class's logit.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from vidjax.explain.drawing import Heat, Map
from vidjax.explain.features import features_at
from vidjax.explain.passes import gradients_pass
from vidjax.explain.traced import TracedNetwork


def draw_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """The sum of channels, each times the sum of its gradient: as published scripts of tubes."""
    places = features_at(network.anatomy, layer)
    measured = gradients_pass(network, places)(variables, clip, class_index)
    _, features, gradients = jax.tree.map(np.asarray, measured)
    cells = (
        np.tensordot(own.sum((1, 2, 3)), maps, 1)
        for maps, own in zip(features, gradients, strict=True)
    )
    return Heat(tuple(cells), 3)


MAPS = (Map("cam", "CAM", draw_cam, "Zhou et al., CVPR 2016, eq. 2", rank=10),)
