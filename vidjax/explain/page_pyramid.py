"""A class feature pyramid as data of a page: all kernels, what they rely on, and their heat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vidjax.explain.class_feature_pyramids import KeptLayer, Place, Pyramid
from vidjax.explain.enlarging import Size
from vidjax.explain.page_coding import heat_text
from vidjax.explain.pyramid_figure import strongest
from vidjax.names import told

# Cells that are left of a kernel's activations, the first of these that keeps a page under so
# many bytes of them.
KERNEL_BYTES = 1_800_000
FINENESS: tuple[Size, ...] = ((16, 28, 28), (8, 20, 20), (8, 14, 14), (4, 10, 10), (4, 7, 7))


def pyramid_data(pyramid: Pyramid, budget: int = KERNEL_BYTES) -> dict[str, Any]:
    """What the page's script reads.

    Rows are layers; columns are a layer's kernels, the strongest first. `lists` are lists of
    children, each `[row, column, weight]`, which several kernels share; `root` is the number of
    the class's.

    Args:
      pyramid: of a clip.
      budget: bytes that the heat of its kernels may take.
    """
    order = [strongest(layer, len(layer.kernels)) for layer in pyramid.layers]
    places = {
        (layer.name, int(layer.kernels[place])): (row, column)
        for row, (layer, own) in enumerate(zip(pyramid.layers, order, strict=True))
        for column, place in enumerate(own)
    }
    lists = _Lists(places)
    most = fineness(pyramid, budget)
    layers = [
        _layer(pyramid, layer, own, lists, most)
        for layer, own in zip(pyramid.layers, order, strict=True)
    ]
    root = lists.number(pyramid.edges.get(("", pyramid.class_index)))
    return {"theta": float(pyramid.threshold), "layers": layers, "root": root, "lists": lists.all}


def pyramid_facts(pyramid: Pyramid) -> dict[str, str]:
    """What a reader of a pyramid has to know."""
    kept = sum(len(layer.kernels) for layer in pyramid.layers)
    lists = {"layer": "one for a layer", "feature": "one for each kernel"}
    return {
        "theta": f"{pyramid.threshold:g}",
        "lists": lists.get(pyramid.mode, pyramid.mode),
        "levels": str(pyramid.depth),
        "kernels kept": f"{kept} in {len(pyramid.layers)} layers",
    }


def fineness(pyramid: Pyramid, budget: int) -> Size:
    """The most cells of a kernel with which all of them take no more than so many bytes."""
    shapes = [layer.maps.shape for layer in pyramid.layers if layer.maps is not None]
    for most in FINENESS:
        cells = (count * math.prod(map(min, size, most)) for count, *size in shapes)
        if sum(cells) <= budget:
            break
    return most


class _Lists:
    """Lists of children by number, each of them once.

    Args:
      places: row and column of each kernel.
    """

    def __init__(self, places: dict[Place, tuple[int, int]]) -> None:
        self._places, self._numbers = places, dict[tuple[tuple[Place, float], ...], int]()
        self.all: list[list[tuple[int, int, float]]] = []

    def number(self, edges: tuple[tuple[Place, float], ...] | None) -> int | None:
        """A list's number; None for a kernel of which nothing is known."""
        if edges is None:
            return None
        if edges not in self._numbers:
            self._numbers[edges] = len(self.all)
            known = ((*self._places[to], weight) for to, weight in edges if to in self._places)
            self.all.append(
                [(row, column, round(float(weight), 3)) for row, column, weight in known]
            )
        return self._numbers[edges]


def _layer(
    pyramid: Pyramid, layer: KeptLayer, order: np.ndarray, lists: _Lists, most: Size
) -> dict[str, Any]:
    kernels = layer.kernels[order].tolist()
    data: dict[str, Any] = {
        "name": told(layer.name),
        "level": layer.level,
        "kernels": kernels,
        "weights": [round(weight, 3) for weight in layer.weights[order].tolist()],
        "counts": layer.counts[order].tolist(),
        "lists": [lists.number(pyramid.edges.get((layer.name, kernel))) for kernel in kernels],
    }
    if layer.maps is not None:
        total = np.tensordot(layer.counts, layer.maps, 1)
        data["heat"] = heat_text(total, most, layer.name, stretch=True)
        data["heats"] = [
            heat_text(layer.maps[place], most, layer.name, stretch=True) for place in order
        ]
    return data
