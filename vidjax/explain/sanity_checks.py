"""Sanity checks for saliency maps (Adebayo et al., NeurIPS 2018).

They test whether a map depends on what the network has learnt. Parameters are randomised layer by
layer from the classifier down, or the network was trained on shuffled labels. A map that does not
change shows the clip, not the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage, stats

from vidjax.explain.traced_network import TracedNetwork

# Constants of SSIM for values in [0, 1] (Wang et al., 2004, section III.C), the standard deviation
# of its window, and where the window is cut off, so that it has 11x11 pixels.
_C1, _C2, _WINDOW, _CUT = 0.01**2, 0.03**2, 1.5, 3.5


def parts_of(network: TracedNetwork, parameters: Mapping[str, Any]) -> list[str]:
    """Returns the modules of a network that hold parameters, from the classifier down.

    Args:
      network: from `trace_network`.
      parameters: its parameters, a tree by names of modules.
    """
    order = {step: place for place, step in enumerate(network.graph.program.operations)}
    last = dict.fromkeys(parameters, -1)
    for layer in network.graph.links:
        part = layer.name.split("/")[0]
        if part in last:
            last[part] = max(last[part], order[layer.operation])
    return sorted(last, key=lambda part: -last[part])


def cascade(
    trained: Mapping[str, Any], fresh: Mapping[str, Any], parts: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the variables with one more module randomised each time, with that module's name.

    Args:
      trained: collections of variables, such as `params` and `batch_stats`.
      fresh: the same collections before training.
      parts: names of modules, in their order.
    """
    mixed = {kind: dict(tree) for kind, tree in trained.items()}
    for part in parts:
        for kind, tree in mixed.items():
            if part in tree:
                tree[part] = fresh[kind][part]
        yield part, {kind: dict(tree) for kind, tree in mixed.items()}


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Returns Spearman's correlation of two maps of equal size; 0 if one of them is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one.reshape(-1), other.reshape(-1)).statistic)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the structural similarity (SSIM) of two maps `[T, H, W]` in [0, 1], averaged.

    Windows lie within a frame: equation 13 of Wang et al., IEEE Transactions on Image Processing
    2004.
    """
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    mean, its = _blurred(a), _blurred(b)
    variances = _blurred(a**2) - mean**2 + _blurred(b**2) - its**2
    covariance = _blurred(a * b) - mean * its
    found = (2 * mean * its + _C1) * (2 * covariance + _C2)
    found /= (mean**2 + its**2 + _C1) * (variances + _C2)
    return float(found.mean())


def _blurred(volume: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(volume, (0, _WINDOW, _WINDOW), truncate=_CUT)
