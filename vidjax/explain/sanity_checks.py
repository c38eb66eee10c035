"""Whether a map depends on what a network has learnt (Adebayo et al., NeurIPS 2018).

Parameters become random again from the classifier down, and a network may be trained on shuffled
labels. A map that stays as it was shows the clip, not the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage, stats

from vidjax.explain.traced_network import TracedNetwork

# Of SSIM (Wang et al., 2004, section III.C), for values in [0, 1]: the constants, the standard
# deviation of the window, and where it is cut, so that it has 11x11 places.
_C1, _C2, _WINDOW, _CUT = 0.01**2, 0.03**2, 1.5, 3.5


def parts_of(network: TracedNetwork, parameters: Mapping[str, Any]) -> list[str]:
    """The modules of a network that hold parameters, from the classifier down.

    Args:
      network: of `trace_network`.
      parameters: of it, a tree by names of modules.
    """
    order = {step: place for place, step in enumerate(network.anatomy.program.operations)}
    last = dict.fromkeys(parameters, -1)
    for layer in network.anatomy.links:
        part = layer.name.split("/")[0]
        if part in last:
            last[part] = max(last[part], order[layer.operation])
    return sorted(last, key=lambda part: -last[part])


def cascade(
    trained: Mapping[str, Any], fresh: Mapping[str, Any], parts: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Variables of which one part more is random each time, with the name of that part.

    Args:
      trained: collections of variables, such as `params` and `batch_stats`.
      fresh: the same, as before training.
      parts: names of modules, in their order.
    """
    mixed = {kind: dict(tree) for kind, tree in trained.items()}
    for part in parts:
        for kind, tree in mixed.items():
            if part in tree:
                tree[part] = fresh[kind][part]
        yield part, {kind: dict(tree) for kind, tree in mixed.items()}


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two maps of a size; 0 where one of them is flat."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one.reshape(-1), other.reshape(-1)).statistic)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The structural similarity (SSIM) of two maps `[T, H, W]` in [0, 1], mean of all places.

    Windows lie in a frame: equation 13 of Wang et al., IEEE Transactions on Image Processing 2004.
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
