"""A class feature pyramid as one picture: layers as rows, kernels as tiles, links by weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.explain.class_feature_pyramids import KeptLayer, Place, Pyramid
from vidjax.names import lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILES = 12
# Between two layers no more links are drawn than so many, the strongest.
MOST_LINKS = 120


def strongest(layer: KeptLayer, count: int = TILES) -> np.ndarray:
    """Places in a layer of its most relied-on kernels: by weight, then by connections."""
    return np.lexsort((layer.kernels, -layer.counts, -layer.weights))[:count]


def draw_pyramid(pyramid: Pyramid, frames: np.ndarray, title: str) -> Figure:
    """Draws a pyramid.

    Args:
      pyramid: of a clip.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: above all, such as the class.
    """
    from matplotlib.figure import Figure

    rows = len(pyramid.layers)
    figure = Figure(figsize=(13, 1.4 + 1.45 * rows), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, TILES + 2), ylim=(rows + 0.15, -0.75))
    axes.axis("off")
    heading = axes.text((TILES + 2) / 2, -0.6, lettering(title), ha="center", va="center")
    heading.set(fontsize=13, weight="bold")
    places = {("", pyramid.class_index): ((TILES + 2) / 2, -0.45)}
    for row, layer in enumerate(pyramid.layers):
        places |= dict(_tiles(axes, row, layer, frames))
    drawn, known = _links(axes, pyramid, places)
    legend = "under a tile: kernel · weight · connections; each map is scaled by itself"
    if drawn < known:
        legend += f"; {drawn} of {known} links between these tiles are drawn, the strongest"
    axes.text((TILES + 2) / 2, rows + 0.05, legend, ha="center", va="center", size=8)
    return figure


def _tiles(
    axes: Any, row: int, layer: KeptLayer, frames: np.ndarray
) -> Iterator[tuple[Place, tuple[float, float]]]:
    """Draws the tiles of a layer; yields where each kernel is."""
    chosen = strongest(layer)
    count = len(layer.kernels)
    shown = f", {len(chosen)} shown" if len(chosen) < count else ""
    label = f"{layer.name}\n{count} kernel{'s' * (count != 1)}{shown}"
    if layer.maps is None:
        label += "\nafter pooling: no place"
    axes.text(0.1, row + 0.3, label, va="center", size=7)
    for column, place in enumerate(chosen):
        left, middle = 2 + column, 2.4 + column
        kernel, weight = int(layer.kernels[place]), float(layer.weights[place])
        tile = frames[len(frames) // 2] if layer.maps is None else _tile(layer.maps[place], frames)
        axes.imshow(tile, extent=(left, left + 0.8, row + 0.62, row), aspect="auto", zorder=2)
        label = f"{kernel} · {weight:.2f} · {layer.counts[place]}"
        axes.text(middle, row + 0.67, label, ha="center", va="top", size=6)
        yield (layer.name, kernel), (middle, row)
    axes.set(xlim=(0, TILES + 2), ylim=(axes.get_ylim()[0], -0.75))


def _tile(activation: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The frame where a kernel is most active, with its activation there."""
    import cv2

    from vidjax.explain.back_step import normalize
    from vidjax.explain.render import overlay

    time = int(activation.max((1, 2)).argmax())
    frame = frames[round((time + 0.5) / len(activation) * len(frames) - 0.5)]
    scaled = normalize(activation)[time]
    large = cv2.resize(scaled, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return overlay(frame[None], np.clip(large, 0, 1)[None])[0]


def _links(
    axes: Any, pyramid: Pyramid, places: Mapping[Place, tuple[float, float]]
) -> tuple[int, int]:
    """Draws links between tiles; returns how many, and of how many."""
    between: dict[tuple[str, str], list[tuple[float, Place, Place]]] = {}
    for parent, edges in pyramid.edges.items():
        for child, weight in edges:
            if parent in places and child in places:
                own = between.setdefault((parent[0], child[0]), [])
                own.append((weight, parent, child))
    chosen = [
        line
        for lines in between.values()
        for line in sorted(lines, key=lambda line: -line[0])[:MOST_LINKS]
    ]
    room = 1 - pyramid.threshold
    for weight, parent, child in chosen:
        (x, y), (to_x, to_y) = places[parent], places[child]
        start = y + (0.62 if y >= 0 else 0)
        strength = (weight - pyramid.threshold) / room if room else 1.0
        axes.plot(
            [x, to_x],
            [start, to_y],
            color="C3",
            zorder=1,
            alpha=0.08 + 0.5 * strength,
            linewidth=0.4 + 1.2 * strength,
        )
    return len(chosen), sum(map(len, between.values()))
