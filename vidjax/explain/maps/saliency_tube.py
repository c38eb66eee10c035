"""The Saliency Tube as a map (`vidjax.explain.saliency_tubes` has its equation)."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from vidjax.explain.drawing import Heat, Map
from vidjax.explain.features import features_at
from vidjax.explain.passes import gradients_pass
from vidjax.explain.saliency_tubes import SETTINGS, tube_of
from vidjax.explain.traced import TracedNetwork


def draw_tube(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> Heat:
    """The tube of a clip; its settings are those of `vidjax.explain.saliency_tube`."""
    places = features_at(network.anatomy, layer)
    measured = gradients_pass(network, places)(variables, clip, class_index)
    _, features, gradients = jax.tree.map(np.asarray, measured)
    weights = [own.sum((1, 2, 3)) for own in gradients]
    tube = tube_of(features, weights, clip.shape[1:4], class_index, mode=mode, tau=tau)
    return Heat(tube.low, 3)


MAPS = (
    Map(
        "saliency_tube",
        "Saliency Tube",
        draw_tube,
        "Stergiou et al., ICIP 2019; thesis, eq. 7.1",
        SETTINGS,
        rank=0,
    ),
)
