"""Data of a Class Feature Pyramid for the HTML page: kernels, their children and heatmaps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.explain.page_encoding import heat_text
from vidjax.explain.pyramid import KeptLayer, Place, Pyramid
from vidjax.explain.pyramid_figure import strongest
from vidjax.explain.upsampling import Size
from vidjax.untrusted_names import printable

Children = tuple[tuple[int, int, float], ...]
# Resolutions of a kernel's heatmap. The first that keeps all of them under KERNEL_BYTES is used.
KERNEL_BYTES = 1_800_000
FINENESS: tuple[Size, ...] = ((16, 28, 28), (8, 20, 20), (8, 14, 14), (4, 10, 10), (4, 7, 7))


def pyramid_data(pyramid: Pyramid, budget: int = KERNEL_BYTES) -> dict[str, Any]:
    """Returns the pyramid as the page's script reads it.

    A row is a layer, or several layers whose outputs are added. Its columns are the kernels, the
    strongest first. `lists` holds lists of children, each child as `[row, column, weight]`; kernels
    may share a list. `root` is the number of the class's list.

    Args:
      pyramid: the pyramid of a clip.
      budget: the most bytes for the kernels' heatmaps.
    """
    rows = [_Row.of(pyramid, layer) for layer in _firsts(pyramid)]
    lists = _Lists(pyramid, rows)
    most = fineness(pyramid, budget)
    return {
        "theta": float(pyramid.threshold),
        "layers": [_row_data(row, lists, most) for row in rows],
        "root": lists.number([("", pyramid.class_index)]),
        "lists": lists.all,
    }


def pyramid_facts(pyramid: Pyramid) -> dict[str, str]:
    """Returns facts about a pyramid for the reader of the page."""
    kept = sum(len(layer.kernels) for layer in pyramid.layers)
    return {
        "theta": f"{pyramid.threshold:g}",
        "lists": pyramid.mode,
        "levels": str(pyramid.depth),
        "kernels kept": f"{kept} in {len(pyramid.layers)} layers",
    }


def fineness(pyramid: Pyramid, budget: int) -> Size:
    """Returns the finest resolution of kernel heatmaps that fits into a number of bytes."""
    shapes = [layer.maps.shape for layer in pyramid.layers if layer.maps is not None]
    for most in FINENESS:
        cells = (count * math.prod(map(min, size, most)) for count, *size in shapes)
        if sum(cells) <= budget:
            break
    return most


@dataclass(frozen=True)
class _Row:
    """A layer, or several layers whose outputs are added.

    Attributes:
      layer: the first of them.
      names: names of all of them.
      order: indices of its kernels, the strongest first.
    """

    layer: KeptLayer
    names: tuple[str, ...]
    order: list[int]

    @classmethod
    def of(cls, pyramid: Pyramid, layer: KeptLayer) -> _Row:
        order = strongest(layer, len(layer.kernels)).tolist()
        return cls(layer, pyramid.one_sum(layer.name), order)

    @property
    def kernels(self) -> list[int]:
        return [int(self.layer.kernels[place]) for place in self.order]


class _Lists:
    """Numbers the lists of children and stores each list once.

    Args:
      pyramid: the pyramid.
      rows: rows of the page.
    """

    def __init__(self, pyramid: Pyramid, rows: Sequence[_Row]) -> None:
        self._edges, self._numbers = pyramid.edges, dict[Children, int]()
        self._places = {
            (name, kernel): (row, column)
            for row, own in enumerate(rows)
            for name in own.names
            for column, kernel in enumerate(own.kernels)
        }

    @property
    def all(self) -> list[Children]:
        """The lists."""
        return list(self._numbers)

    def number(self, parents: Iterable[Place]) -> int:
        """Returns the number of the list of children of one kernel, or of several together."""
        found: dict[tuple[int, int], float] = {}
        for parent in parents:
            for child, weight in self._edges.get(parent, ()):
                place = self._places[child]
                found[place] = max(float(weight), found.get(place, 0.0))
        children = tuple((*place, round(weight, 3)) for place, weight in found.items())
        return self._numbers.setdefault(children, len(self._numbers))


def _firsts(pyramid: Pyramid) -> Iterator[KeptLayer]:
    """Yields the layers; of layers whose outputs are added, only the first."""
    known: set[str] = set()
    for layer in pyramid.layers:
        if layer.name not in known:
            yield layer
        known |= {layer.name, *pyramid.one_sum(layer.name)}


def _row_data(row: _Row, lists: _Lists, most: Size) -> dict[str, Any]:
    layer = row.layer
    data: dict[str, Any] = {
        "name": printable(" + ".join(row.names)),
        "level": layer.level,
        "kernels": row.kernels,
        "weights": [round(float(layer.weights[place]), 3) for place in row.order],
        "counts": [int(layer.counts[place]) for place in row.order],
        "lists": [lists.number((name, own) for name in row.names) for own in row.kernels],
    }
    if layer.maps is not None:
        total = np.tensordot(layer.counts, layer.maps, 1)
        data["heat"] = heat_text(total, most, layer.name, stretch=True)
        data["heats"] = [
            heat_text(layer.maps[place], most, layer.name, stretch=True) for place in row.order
        ]
    return data
