"""Grad-CAM++: only positive gradients count, each weighted by its location's share.

Source: Chattopadhyay et al., WACV 2018, eq. 9, 10 and 19, with sums over frames, rows and columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import added, gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_grad_cam_plus_plus(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `relu(sum_k w_k a_k)`, where `w_k = sum(alpha_k relu(g_k))`.

    `alpha_k = g_k^2 / (2 g_k^2 + sum(a_k) g_k^3)` for a score that is the exponential of the logit
    (section 3.3). The exponential's common factor in all weights is left out. It could overflow,
    and it has no effect after a map is rescaled to [0, 1].
    """
    pairs = gradients_at(network, variables, clip, class_index, layer)
    return Heat(tuple(_cells(a, g) for a, g in pairs), WITH_GRADIENT)


def _cells(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    a, g = features.astype(np.float64), gradients.astype(np.float64)
    below = 2 * g**2 + a.sum((1, 2, 3), keepdims=True) * g**3
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    weights = (alpha * np.maximum(g, 0)).sum((1, 2, 3))
    return np.maximum(added(a, weights), 0)


MAPS = (
    Map(
        "grad_cam_plus_plus",
        "Grad-CAM++",
        draw_grad_cam_plus_plus,
        "Chattopadhyay et al., WACV 2018, eq. 9, 10 and 19",
        rank=30,
    ),
)
