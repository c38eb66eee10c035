"""Selects what a picture of a pyramid shows: one row per level, with tiles.

The formats are those of CFP, section 6. A tile is a kernel, the kept kernels of one group of a
grouped convolution (a fibre of MF-Net, one of ResNeXt's 32 groups; section 5.1), or the kept
kernels of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.explain.pyramid import KeptLayer, Place, Pyramid
from vidjax.explain.upsampling import CUBIC, Size
from vidjax.settings import Kind, check, one_of

FORMATS = ("kernel", "group", "layer")
DRAWN = ("own", "children")
FORMAT: Mapping[str, Kind] = {"format": one_of(*FORMATS), "draw": one_of(*DRAWN)}
# The most tiles in the first and in the last row: a pyramid grows downwards.
TILES = (5, 7)
Children = tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class Tile:
    """A kernel, a group of kernels or a layer, as a picture shows it.

    Attributes:
      layers: name of its layer, and names of the layers that are added to it.
      kernels: the kernels that it stands for.
      weight: the largest weight that a parent gives one of them.
      count: number of connections that lead to them.
      label: label, such as the kernel's number.
      group: the convolution group, if the tile stands for one.
      letter: letter of its layer, if its row has several layers.
    """

    layers: tuple[str, ...]
    kernels: tuple[int, ...]
    weight: float
    count: int
    label: str
    group: int | None = None
    letter: str = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """Pairs of layer and kernel for all kernels of the tile."""
        return tuple((name, kernel) for name in self.layers for kernel in self.kernels)


@dataclass(frozen=True)
class Shown:
    """A layer in a row, or several layers whose outputs are added.

    Attributes:
      names: names of the layers.
      cells: T', H', W' of the activations; None if they have no location in space and time.
      kept: number of kept kernels.
      letter: letter of the layer's tiles, if the row has several layers.
    """

    names: tuple[str, ...]
    cells: tuple[int, ...] | None
    kept: int
    letter: str = ""


@dataclass(frozen=True)
class Row:
    """One level of a pyramid.

    Attributes:
      level: number of the level.
      layers: layers of the level.
      tiles: the strongest tiles, layer by layer.
    """

    level: int
    layers: tuple[Shown, ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Strand:
    """Links from tiles to their children. Tiles with the same children share one strand.

    Attributes:
      parents: row and column of each parent; `(-1, 0)` is the class.
      children: row, column and weight of each child.
    """

    parents: tuple[tuple[int, int], ...]
    children: Children


def rows_of(pyramid: Pyramid, format: str = "kernel", most: tuple[int, int] = TILES) -> list[Row]:
    """Returns the rows of a picture, one per level.

    Args:
      pyramid: the pyramid.
      format: content of a tile: a `kernel`, a `group` of kernels, or a `layer`.
      most: the most tiles in the first row and in the last row.

    Raises:
      ValueError: the format does not exist.
    """
    check({"format": format}, FORMAT)
    levels = sorted({layer.level for layer in pyramid.layers})
    counts = np.linspace(most[0], most[1], max(len(levels), 1)).round().astype(int)
    return [
        _row(pyramid, level, format, int(count))
        for level, count in zip(levels, counts, strict=False)
    ]


def _row(pyramid: Pyramid, level: int, format: str, most: int) -> Row:
    layers: list[Shown] = []
    tiles: list[Tile] = []
    inside = [layer for layer in pyramid.layers if layer.level == level]
    firsts = [layer for layer in inside if pyramid.one_sum(layer.name)[0] == layer.name]
    for number, layer in enumerate(firsts):
        names = pyramid.one_sum(layer.name)
        letter = chr(ord("a") + number) if len(firsts) > 1 else ""
        cells = None if layer.maps is None else layer.maps.shape[1:]
        layers.append(Shown(names, cells, len(layer.kernels), letter))
        tiles += _tiles(layer, names, format, letter)
    # The sort is stable, so that equal tiles stay in the order of the network.
    chosen = sorted(tiles, key=lambda tile: (-tile.weight, -tile.count))[:most]
    order = {tile.places: place for place, tile in enumerate(chosen)}
    grouped = sorted(chosen, key=lambda tile: (tile.letter, order[tile.places]))
    return Row(level, tuple(layers), tuple(grouped))


def _tiles(layer: KeptLayer, names: tuple[str, ...], format: str, letter: str) -> Iterator[Tile]:
    for part, places in _parts(layer, format):
        kernels = tuple(int(layer.kernels[place]) for place in places)
        many = f"{len(kernels)} kernel{'s' * (len(kernels) != 1)}"
        label = {"kernel": str(kernels[0]), "group": f"group {part}", "layer": many}[format]
        yield Tile(
            names,
            kernels,
            float(layer.weights[places].max()),
            int(layer.counts[places].sum()),
            label,
            part if format == "group" else None,
            letter,
        )


def _parts(layer: KeptLayer, format: str) -> Iterator[tuple[int, list[int]]]:
    """Yields group numbers, and indices of the kernels that share a tile."""
    everywhere = range(len(layer.kernels))
    if format == "kernel":
        yield from ((0, [place]) for place in everywhere)
    elif format == "layer":
        yield 0, list(everywhere)
    else:
        groups = layer.group_of.tolist()
        for group in sorted(set(groups)):
            yield group, [place for place in everywhere if groups[place] == group]


def strands_of(pyramid: Pyramid, rows: Sequence[Row]) -> list[Strand]:
    """Returns the links between tiles, bundled for parents with the same children."""
    at = {
        place: (row, column)
        for row, own in enumerate(rows)
        for column, tile in enumerate(own.tiles)
        for place in tile.places
    }
    # Keys are the parents' row and their children.
    strands: dict[tuple[int, Children], list[tuple[int, int]]] = {}
    parents = [((-1, 0), [("", pyramid.class_index)])]
    parents += [
        ((row, column), [(name, kernel) for kernel in tile.kernels])
        for row, own in enumerate(rows)
        for column, tile in enumerate(own.tiles)
        for name in tile.layers
    ]
    for where, places in parents:
        found: dict[tuple[int, int], float] = {}
        for place in places:
            for child, weight in pyramid.edges.get(place, ()):
                if child in at:
                    found[at[child]] = max(weight, found.get(at[child], 0.0))
        if found:
            children = tuple((*to, weight) for to, weight in sorted(found.items()))
            strands.setdefault((where[0], children), []).append(where)
    return [Strand(tuple(dict.fromkeys(own)), children) for (_, children), own in strands.items()]


def volume_of(
    pyramid: Pyramid, tile: Tile, size: Size, draw: str = "own", degree: int | None = CUBIC
) -> np.ndarray | None:
    """Returns where a tile is active, `[T, H, W]` in [0, 1]; None if it has no location.

    Args:
      pyramid: the pyramid of the tile.
      tile: from `rows_of`.
      size: T, H, W.
      draw: `own` activations, or the mean of its `children`'s (CFP, section 3.3). Kernels without
        children in the pyramid, such as those of the last level, are drawn by their own
        activations.
      degree: degree of the spline, as in `upsampling.upsample`.

    Raises:
      ValueError: `children` was asked for a tile that is not a kernel.
    """
    check({"draw": draw}, FORMAT)
    name = tile.layers[0]
    if draw == "children":
        if len(tile.kernels) != 1 or tile.group is not None:
            raise ValueError("draw = 'children' needs format = 'kernel': others have no children")
        children = pyramid.edges.get((name, tile.kernels[0]), ())
        if children and all(pyramid.layer(own).maps is not None for (own, _), _ in children):
            return pyramid.children_tube(name, tile.kernels[0], size=size, degree=degree)
    if pyramid.layer(name).maps is None:
        return None
    if tile.group is not None:
        return pyramid.tube(name, group=tile.group, size=size, degree=degree)
    total = len(tile.kernels) > 1 or len(pyramid.layer(name).kernels) == 1
    kernel = None if total else tile.kernels[0]
    return pyramid.tube(name, kernel, size=size, degree=degree)
