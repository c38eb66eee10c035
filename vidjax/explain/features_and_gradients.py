"""Computes a network's features for a clip, and gradients there, as NumPy arrays.

Most maps start from these.
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
    """Returns the features of a layer, float32 `[C, T', H', W']` per group. Takes one pass.

    Args:
      network: from `trace_network`.
      variables: the model's variables.
      clip: `[1, T, H, W, 3]`.
      layer: as in `vidjax.explain.layer_lookup.features_at`.

    Raises:
      ValueError: the layer does not exist.
    """
    places = features_at(network.graph, layer)
    _, features = features_pass(network, places)(variables, clip)
    return [np.asarray(own) for own in features]


def gradients_at(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> list[Pair]:
    """Returns features and the gradient of the class's logit there. Takes three passes.

    Args:
      network: from `trace_network`.
      variables: the model's variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: as in `vidjax.explain.layer_lookup.features_at`.

    Returns:
      Pairs of features and gradients, float32 `[C, T', H', W']`, one pair per group.

    Raises:
      ValueError: the layer does not exist.
    """
    places = features_at(network.graph, layer)
    _, features, gradients = gradients_pass(network, places)(variables, clip, class_index)
    return [(np.asarray(a), np.asarray(g)) for a, g in zip(features, gradients, strict=True)]


def added(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Adds channels `[C, T', H', W']`, each times its weight `[C]`: `[T', H', W']`."""
    return np.tensordot(weights, features, 1)


def clip_gradients(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> list[np.ndarray]:
    """Returns gradients of the class's logit with respect to the clip, or to a layer's features.

    Takes three passes.

    Returns:
      `[3, T, H, W]` for the clip if `layer` is None, else `[C, T', H', W']` per group.

    Raises:
      ValueError: the layer does not exist.
    """
    if layer is not None:
        return [g for _, g in gradients_at(network, variables, clip, class_index, layer)]
    _, gradient = clip_gradient_pass(network)(variables, clip, class_index)
    return [np.moveaxis(np.asarray(gradient[0], np.float32), -1, 0)]
