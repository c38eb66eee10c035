"""Draws the strongest kernels of a pyramid, level by level, as strips of three frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidjax.explain.pyramid import Pyramid
from vidjax.explain.pyramid_figure import smaller
from vidjax.explain.pyramid_layout import sum_lines
from vidjax.explain.pyramid_tiles import Tile, rows_of, volume_of
from vidjax.explain.strip_figure import Cell, Strip
from vidjax.explain.upsampling import CUBIC

FOOT = {
    "kernel": "Below three frames: layer, kernel · weight · cells. Each map has its own scale.",
    "group": "Below three frames: layer, group · weight · cells. Each map has its own scale.",
    "layer": "Below three frames: layer, kept kernels · cells. Each map has its own scale.",
}


def kernel_cell(
    pyramid: Pyramid,
    frames: np.ndarray,
    title: str,
    *,
    each: int = 3,
    format: str = "kernel",
    draw: str = "own",
    degree: int | None = CUBIC,
) -> Cell:
    """Draws the strongest kernels of each level, one line per level.

    Args:
      pyramid: the pyramid of a clip.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: title of the cell, such as the class and its probability.
      each: the most kernels, groups or layers to show per level.
      format: as in `pyramid_tiles.rows_of`.
      draw: as in `pyramid_tiles.volume_of`.
      degree: as in `pyramid_tiles.volume_of`.

    Raises:
      ValueError: a setting is not valid.
    """
    size = smaller(frames).shape[:3]
    lines = tuple(
        tuple(
            Strip(
                " ".join(sum_lines(tile.layers)),
                _said(pyramid, tile, format),
                volume_of(pyramid, tile, size, draw, degree),
            )
            for tile in row.tiles
        )
        for row in rows_of(pyramid, format, (each, each))
    )
    return Cell(title, frames, lines)


def shown_kernels(pyramid: Pyramid, format: str, each: int) -> Iterator[tuple[int, Tile]]:
    """Yields the levels and tiles that `kernel_cell` shows."""
    for row in rows_of(pyramid, format, (each, each)):
        for tile in row.tiles:
            yield row.level, tile


def _said(pyramid: Pyramid, tile: Tile, format: str) -> str:
    what = f"kernel {tile.label}" if format == "kernel" else tile.label
    weight = "" if format == "layer" else f" · {tile.weight:.2f}"
    maps = pyramid.layer(tile.layers[0]).maps
    cells = "no location" if maps is None else f"{'x'.join(map(str, maps.shape[1:]))} cells"
    return f"{what}{weight} · {cells}"
