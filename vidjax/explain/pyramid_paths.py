"""Where a pyramid ends: at a chosen layer, or at the paths that lead to chosen kernels.

CFP, section 5: "down to the selected layer or selected kernels of a layer".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.explain.layer import Layer
from vidjax.explain.layer_graph import Anatomy
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
    """Where a pyramid ends.

    Attributes:
      layer: the last one.
      kernels: of it; empty for all that are kept.
    """

    layer: Layer
    kernels: tuple[int, ...] = ()


def end_of(anatomy: Anatomy, down_to: str | tuple[str, Sequence[int]]) -> End:
    """The end that a name, or a name and numbers of kernels, mean.

    Args:
      anatomy: of the network.
      down_to: the name is that of a layer, such as `layer3/block2/conv1`, or of a module with
        layers, such as `layer3`, whose last one is taken.

    Raises:
      ValueError: there is no such layer or kernel.
    """
    name, kernels = (down_to, ()) if isinstance(down_to, str) else down_to
    try:
        layer = layer_at(anatomy, name)
    except ValueError as error:
        raise ValueError(f"down_to = {shown(down_to)}: {error}") from None
    for kernel in kernels:
        if kernel >= layer.kernels:
            raise ValueError(
                f"down_to = {shown(down_to)}: {layer.name!r} has kernels 0 to {layer.kernels - 1}"
            )
    return End(layer, tuple(map(int, kernels)))


def ending_at(pyramid: Pyramid, end: End) -> Pyramid:
    """The pyramid down to a layer, or the paths in it that lead to kernels of the layer.

    Raises:
      ValueError: nothing of it was kept.
    """
    own = next((layer for layer in pyramid.layers if layer.name == end.layer.name), None)
    advice = f"at threshold = {pyramid.threshold:g}; a lower one keeps more"
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
    """Kernels from which a way leads down to one of the places, these among them."""
    found = set(places)
    # Whatever relies on a kernel is in a layer nearer to the class: those are looked at last.
    levels = {layer.name: layer.level for layer in pyramid.layers}
    for parent in sorted(pyramid.edges, key=lambda place: -levels.get(place[0], 0)):
        if parent[0] and any(child in found for child, _ in pyramid.edges[parent]):
            found.add(parent)
    return found


def _pruned(pyramid: Pyramid, places: set[Place]) -> Pyramid:
    """The part of a pyramid that consists of these kernels."""
    lists: dict[int, tuple[tuple[Place, float], ...]] = {}
    edges = {}
    for parent, own in pyramid.edges.items():
        if not parent[0] or parent in places:
            # A list that kernels share stays one object.
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


def one_sums(anatomy: Anatomy, layers: Sequence[Layer]) -> tuple[tuple[str, ...], ...]:
    """Groups of layers whose channels are added up one by one before anybody reads them.

    The last convolution of a residual block and its projection are such; a block's input is not,
    because the block itself reads it alone.

    Args:
      anatomy: of the network.
      layers: to be grouped.

    Returns:
      Names, of groups of two or more, in the order of the program.
    """
    order = {step: number for number, step in enumerate(anatomy.program.operations)}
    readers: dict[Layer, list[tuple[Layer, bytes]]] = {
        layer: [] for layer in sorted(layers, key=lambda own: order[own.operation])
    }
    for reader, links in anatomy.links.items():
        for link in links:
            if link.layer in readers:
                readers[link.layer].append((reader, link.pairs.tobytes()))
    groups: dict[frozenset[tuple[Layer, bytes]], list[str]] = {}
    for layer, found in readers.items():
        groups.setdefault(frozenset(found), []).append(layer.name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)
