"""Shows where the kernels are active that a Class Feature Pyramid keeps of a layer.

Source: Stergiou et al., ICCVW 2019, section 3.3. The activations of a layer's kept kernels are
added, each as often as connections lead to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.back_step import KEEP
from vidjax.explain.class_feature_pyramids import LISTS, THETA, class_feature_pyramid
from vidjax.explain.features_and_gradients import added
from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import LayerGraph
from vidjax.explain.layer_lookup import layer_at
from vidjax.explain.map_types import Heat, Map
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import one_of, optional, shown, whole

SETTINGS = {**KEEP, "depth": optional(whole(1, 1_000_000)), "mode": one_of(*LISTS)}
_DEPTH = 3


def draw_pyramid(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    depth: int | None = None,
    threshold: float = THETA,
    mode: str = "layer",
    top: int | None = None,
) -> Heat:
    """Adds the activations of the kept kernels of a layer, or of the deepest level.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the layer whose kernels are shown; the pyramid goes down to its level.
      depth: the level to show, if no layer is named. None shows level 3, or the nearest deeper
        level with a location in space and time. If that level keeps no kernel, None shows the
        deepest level that keeps any.
      threshold: theta, the smallest value of a kept kernel, in [0, 1].
      mode: `layer` selects one list for the kernels of a layer, `feature` a list for each.
      top: the most kernels to keep from each list; None keeps all.

    Raises:
      ValueError: the layer or level does not exist, or has no location in space and time.
    """
    graph = network.graph.as_far_as_known
    named = layer is not None or depth is not None
    if layer is not None:
        if depth is not None:
            raise ValueError(f"depth = {depth} has no effect with layer = {shown(layer)}")
        layers = [layer_at(graph, layer)]
    else:
        layers = _level(graph, depth)
    depth = graph.levels[layers[0]]
    pyramid = class_feature_pyramid(
        network, variables, clip, class_index, depth, threshold, mode, top=top
    )
    names = {own.name for own in layers}
    kept = [own for own in pyramid.layers if own.name in names]
    if not kept and not named:
        placed = [own for own in pyramid.layers if own.maps is not None]
        kept = [own for own in placed if own.level == placed[-1].level]
    heats = tuple(added(own.maps, own.counts) for own in kept if own.maps is not None)
    return Heat(heats or (np.zeros(graph.sources[layers[0]].features.extents),), 1)


def _level(graph: LayerGraph, depth: int | None) -> list[Layer]:
    """Returns the layers of a level that have a location in space and time."""
    if depth is not None and depth > graph.depth:
        raise ValueError(f"depth = {depth}: this network has levels 1 to {graph.depth}")
    first = min(_DEPTH, graph.depth) if depth is None else depth
    for level in range(first, (graph.depth if depth is None else depth) + 1):
        if found := [own for own in graph.at(level) if own in graph.sources]:
            return found
    raise ValueError(
        f"the layers of level {first} have no location in space and time; name a layer"
    )


MAPS = (
    Map(
        "class_feature_pyramid",
        "Class Feature Pyramid",
        draw_pyramid,
        "Stergiou et al., ICCVW 2019, section 3.3; thesis, section 7.5",
        SETTINGS,
        rank=150,
    ),
)
