"""Features of a network for a clip, and gradients there, as arrays of NumPy.

What most maps begin with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.compiled_passes import clip_gradient_pass, features_pass, gradients_pass
from vidjax.explain.layer_lookup import features_at
from vidjax.explain.traced_network import TracedNetwork

Pair = tuple[np.ndarray, np.ndarray]


def features_of(
    network: TracedNetwork, variables: Any, clip: Any, layer: str | None
) -> list[np.ndarray]:
    """Features, float32 `[C, T', H', W']` of each group: one pass.

    Args:
      network: of `trace_network`.
      variables: as the model takes them.
      clip: `[1, T, H, W, 3]`.
      layer: as in `vidjax.explain.layer_lookup.features_at`.

    Raises:
      ValueError: there is no such layer.
    """
    places = features_at(network.anatomy, layer)
    _, features = features_pass(network, places)(variables, clip)
    return [np.asarray(own) for own in features]


def gradients_at(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> list[Pair]:
    """Features and the gradient of the class's logit there: three passes.

    Args:
      network: of `trace_network`.
      variables: as the model takes them.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: as in `vidjax.explain.layer_lookup.features_at`.

    Returns:
      Features and gradients, float32 `[C, T', H', W']`, of each group.

    Raises:
      ValueError: there is no such layer.
    """
    places = features_at(network.anatomy, layer)
    _, features, gradients = gradients_pass(network, places)(variables, clip, class_index)
    return [(np.asarray(a), np.asarray(g)) for a, g in zip(features, gradients, strict=True)]


def added(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of channels `[C, T', H', W']`, each times its weight `[C]`: `[T', H', W']`."""
    return np.tensordot(weights, features, 1)


def clip_gradients(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> list[np.ndarray]:
    """Gradients of the class's logit with respect to the clip, or to the features of a layer.

    Three passes.

    Returns:
      `[3, T, H, W]` of the clip where `layer` is None; else `[C, T', H', W']`.

    Raises:
      ValueError: there is no such layer.
    """
    if layer is not None:
        return [g for _, g in gradients_at(network, variables, clip, class_index, layer)]
    _, gradient = clip_gradient_pass(network)(variables, clip, class_index)
    return [np.moveaxis(np.asarray(gradient[0], np.float32), -1, 0)]
