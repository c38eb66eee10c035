"""The kernels that a Class Feature Pyramid keeps of a layer, as a map: where they are active.

Stergiou et al., ICCVW 2019, section 3.3: the activations of a layer's kept kernels are added, each
as often as connections lead to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.back_step import KEEP
from vidjax.explain.class_feature_pyramids import LISTS, THETA, class_feature_pyramid
from vidjax.explain.features_and_gradients import added
from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import Anatomy
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
    """The sum of activations of the kernels that were kept of a layer, or of the deepest level.

    Args:
      network: that is explained.
      variables: of it.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: whose kernels are shown; the pyramid goes down to its level.
      depth: the level that is shown, where no layer is named; None is the third, or the nearest
        deeper one that lies in space and time. If no kernel is kept there, None is the deepest
        level of which some are.
      threshold: theta, the share from which on kernels are kept.
      mode: `layer` merges the kernels of a layer into one list, `feature` has a list for each.
      top: at most so many kernels of a list; None is all.

    Raises:
      ValueError: there is no such layer or level, or none in space and time.
    """
    anatomy = network.anatomy.as_far_as_known
    named = layer is not None or depth is not None
    if layer is not None:
        if depth is not None:
            raise ValueError(f"depth = {depth} has no effect with layer = {shown(layer)}")
        layers = [layer_at(anatomy, layer)]
    else:
        layers = _level(anatomy, depth)
    depth = anatomy.levels[layers[0]]
    pyramid = class_feature_pyramid(
        network, variables, clip, class_index, depth, threshold, mode, top=top
    )
    names = {own.name for own in layers}
    kept = [own for own in pyramid.layers if own.name in names]
    if not kept and not named:
        # The deepest level that keeps any.
        placed = [own for own in pyramid.layers if own.maps is not None]
        kept = [own for own in placed if own.level == placed[-1].level]
    heats = tuple(added(own.maps, own.counts) for own in kept if own.maps is not None)
    return Heat(heats or (np.zeros(anatomy.sources[layers[0]].features.extents),), 1)


def _level(anatomy: Anatomy, depth: int | None) -> list[Layer]:
    """Layers of a level that are in space and time."""
    if depth is not None and depth > anatomy.depth:
        raise ValueError(f"depth = {depth}: this network has levels 1 to {anatomy.depth}")
    first = min(_DEPTH, anatomy.depth) if depth is None else depth
    for level in range(first, (anatomy.depth if depth is None else depth) + 1):
        if found := [own for own in anatomy.at(level) if own in anatomy.sources]:
            return found
    raise ValueError(f"the layers of level {first} are nowhere in space and time; name a layer")


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
