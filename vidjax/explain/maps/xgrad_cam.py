"""XGrad-CAM: each channel's weight is its gradient, averaged with its activations as weights.

Source: Fu et al., Axiom-based Grad-CAM, BMVC 2020. These weights meet the axioms of sensitivity and
conservation as nearly as weights of whole channels can. Sums are over frames, rows and columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import added, gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_xgrad_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `relu(sum_k w_k a_k)`, where `w_k = sum(a_k g_k) / sum(a_k)`.

    A channel whose activations add up to 0 has no such weight and is left out.
    """
    pairs = gradients_at(network, variables, clip, class_index, layer)
    return Heat(tuple(_cells(a, g) for a, g in pairs), WITH_GRADIENT)


def _cells(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    a, g = features.astype(np.float64), gradients.astype(np.float64)
    total = a.sum((1, 2, 3))
    weights = np.zeros_like(total)
    np.divide((a * g).sum((1, 2, 3)), total, out=weights, where=total != 0)
    return np.maximum(added(a, weights), 0)


MAPS = (
    Map("xgrad_cam", "XGrad-CAM", draw_xgrad_cam, "Fu et al., BMVC 2020, section 3.2", rank=50),
)
