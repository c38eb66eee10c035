"""Ends a pyramid at a chosen layer, or keeps only the paths to chosen kernels.

Source: CFP, section 5: "down to the selected layer or selected kernels of a layer".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import LayerGraph
from vidjax.explain.layer_lookup import layer_at
from vidjax.explain.pyramid import KeptLayer, Place, Pyramid
from vidjax.settings import Kind, shown, whole

_NUMBER = whole(0, 2**31 - 1)


def _accepts(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value != ""
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not isinstance(value[0], str):
        return False
    kernels = value[1]
    listed = isinstance(kernels, (tuple, list, range, np.ndarray))
    return bool(value[0] and listed and len(kernels) and all(map(_NUMBER.accepts, kernels)))


END = Kind("the name of a layer, or a pair of a name and a list of kernels", _accepts)


@dataclass(frozen=True)
class End:
    """The layer or kernels at which a pyramid ends.

    Attributes:
      layer: the last layer.
      kernels: its kernels to keep; empty keeps all.
    """

    layer: Layer
    kernels: tuple[int, ...] = ()


def end_of(graph: LayerGraph, down_to: str | tuple[str, Sequence[int]]) -> End:
    """Resolves the argument `down_to` of `class_feature_pyramid`.

    Args:
      graph: layers of the network.
      down_to: the name of a layer, such as `layer3/block2/conv1`, or of a module, such as `layer3`,
        which stands for its last layer. It may be a pair of such a name and kernel numbers.

    Raises:
      ValueError: the layer or kernel does not exist.
    """
    name, kernels = (down_to, ()) if isinstance(down_to, str) else down_to
    try:
        layer = layer_at(graph, name)
    except ValueError as error:
        raise ValueError(f"down_to = {shown(down_to)}: {error}") from None
    for kernel in kernels:
        if kernel >= layer.kernels:
            raise ValueError(
                f"down_to = {shown(down_to)}: {layer.name!r} has kernels 0 to {layer.kernels - 1}"
            )
    return End(layer, tuple(map(int, kernels)))


def ending_at(pyramid: Pyramid, end: End) -> Pyramid:
    """Returns the pyramid down to a layer, or only the paths that lead to kernels of that layer.

    Raises:
      ValueError: the pyramid keeps nothing of the layer, or not one of the kernels.
    """
    own = next((layer for layer in pyramid.layers if layer.name == end.layer.name), None)
    advice = f"at threshold = {pyramid.threshold:g}; a lower threshold keeps more"
    if own is None:
        raise ValueError(f"no kernel of {end.layer.name!r} was kept {advice}")
    kept = set(own.kernels.tolist())
    if missing := [kernel for kernel in end.kernels if kernel not in kept]:
        nearby = sorted(sorted(kept, key=lambda number: abs(number - missing[0]))[:10])
        raise ValueError(
            f"kernel {missing[0]} of {own.name!r} was not kept {advice}. Kept are "
            f"{', '.join(map(str, nearby))}{' and others' if len(kept) > len(nearby) else ''}"
        )
    if end.kernels:
        return _pruned(pyramid, _leading_to(pyramid, {(own.name, one) for one in end.kernels}))
    whole_level = {
        (layer.name, int(kernel))
        for layer in pyramid.layers
        for kernel in layer.kernels
        if layer.level < own.level or layer.name == own.name
    }
    return _pruned(pyramid, whole_level)


def _leading_to(pyramid: Pyramid, places: set[Place]) -> set[Place]:
    """Returns the kernels from which a path leads down to one of the places, and those places."""
    found = set(places)
    # A kernel's parents lie nearer to the class, so the deepest kernels are visited first.
    levels = {layer.name: layer.level for layer in pyramid.layers}
    for parent in sorted(pyramid.edges, key=lambda place: -levels.get(place[0], 0)):
        if parent[0] and any(child in found for child, _ in pyramid.edges[parent]):
            found.add(parent)
    return found


def _pruned(pyramid: Pyramid, places: set[Place]) -> Pyramid:
    """Returns the pyramid that has only these kernels."""
    lists: dict[int, tuple[tuple[Place, float], ...]] = {}
    edges = {}
    for parent, own in pyramid.edges.items():
        if not parent[0] or parent in places:
            # Kernels keep sharing one object for a shared list.
            if id(own) not in lists:
                lists[id(own)] = tuple(edge for edge in own if edge[0] in places)
            edges[parent] = lists[id(own)]
    layers = (_part(layer, places) for layer in pyramid.layers)
    kept = tuple(layer for layer in layers if len(layer.kernels))
    depth = max(layer.level for layer in kept)
    return dataclasses.replace(pyramid, depth=depth, layers=kept, edges=edges)


def _part(layer: KeptLayer, places: set[Place]) -> KeptLayer:
    inside = np.array([(layer.name, int(kernel)) in places for kernel in layer.kernels], bool)
    return dataclasses.replace(
        layer,
        kernels=layer.kernels[inside],
        weights=layer.weights[inside],
        counts=layer.counts[inside],
        maps=None if layer.maps is None else layer.maps[inside],
    )


def one_sums(graph: LayerGraph, layers: Sequence[Layer]) -> tuple[tuple[str, ...], ...]:
    """Groups layers whose outputs are added channel by channel before another layer reads them.

    The last convolution of a residual block and its projection form such a group. The block's input
    does not belong to it, because the block also reads it on its own.

    Args:
      graph: layers of the network.
      layers: the layers to group.

    Returns:
      Names of the layers of each group of two or more, in the order of the program.
    """
    order = {step: number for number, step in enumerate(graph.program.operations)}
    readers: dict[Layer, list[tuple[Layer, bytes]]] = {
        layer: [] for layer in sorted(layers, key=lambda own: order[own.operation])
    }
    for reader, links in graph.links.items():
        for link in links:
            if link.layer in readers:
                readers[link.layer].append((reader, link.pairs.tobytes()))
    groups: dict[frozenset[tuple[Layer, bytes]], list[str]] = {}
    for layer, found in readers.items():
        groups.setdefault(frozenset(found), []).append(layer.name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)
