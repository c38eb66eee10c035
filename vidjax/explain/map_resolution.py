"""Checks whether a map's resolution is sufficient, and finds an earlier layer with more cells."""

from __future__ import annotations

from collections.abc import Sequence

from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import LayerGraph
from vidjax.explain.upsampling import Size

# A map with fewer cells in time or along a side hardly locates anything.
LEAST = (2, 4, 4)


def is_coarse(cells: Sequence[Size], clip: Size) -> bool:
    """Returns whether all of a map's volumes have a low resolution.

    Args:
      cells: T', H', W' of the map's volumes.
      clip: T, H, W of the clip; no axis can have more cells than that.
    """
    return all(_few(own, clip) for own in cells)


def finer_layer(graph: LayerGraph, clip: Size) -> str | None:
    """Returns the last module, or else the last layer, whose features have a sufficient resolution.

    Pass its name to `vidjax.explain.layer_lookup.features_at`. None if no layer has a sufficient
    resolution.
    """
    graph = graph.as_far_as_known
    order = {step: number for number, step in enumerate(graph.program.operations)}
    layers = sorted(graph.sources, key=lambda own: -order[own.operation])
    seen: set[str] = set()
    for layer in layers:
        module = layer.name.split("/")[0]
        if module in seen:
            continue
        # The last layer of a module counts; it comes first in this order.
        seen.add(module)
        if not _few(_extents(graph, layer), clip):
            return module
    return next((layer.name for layer in layers if not _few(_extents(graph, layer), clip)), None)


def _extents(graph: LayerGraph, layer: Layer) -> Size:
    times, height, width = graph.sources[layer].features.extents
    return times, height, width


def _few(cells: Size, clip: Size) -> bool:
    return any(own < min(least, all_) for own, least, all_ in zip(cells, LEAST, clip, strict=True))
