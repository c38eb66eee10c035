"""The strongest kernels of a pyramid, level by level, as strips of three frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidjax.explain.pyramid import Pyramid
from vidjax.explain.pyramid_figure import smaller
from vidjax.explain.pyramid_tiles import Tile, rows_of, volume_of
from vidjax.explain.strip_figure import Cell, Strip
from vidjax.explain.upsampling import CUBIC

FOOT = {
    "kernel": "below three frames: layer, kernel · weight · cells. Each map is scaled by itself.",
    "group": "below three frames: layer, group · weight · cells. Each map is scaled by itself.",
    "layer": "below three frames: layer, kept kernels · cells. Each map is scaled by itself.",
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
    """The strongest kernels of each level, a line a level.

    Args:
      pyramid: of a clip.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: such as the class and its probability.
      each: kernels, groups or layers of a level at most.
      format: as in `pyramid_rows.rows_of`.
      draw: as in `pyramid_rows.volume_of`.
      degree: likewise.

    Raises:
      ValueError: a setting is not of its kind.
    """
    size = smaller(frames).shape[:3]
    lines = tuple(
        tuple(
            Strip(
                " + ".join(tile.layers),
                _said(pyramid, tile, format),
                volume_of(pyramid, tile, size, draw, degree),
            )
            for tile in row.tiles
        )
        for row in rows_of(pyramid, format, (each, each))
    )
    return Cell(title, frames, lines)


def shown_kernels(pyramid: Pyramid, format: str, each: int) -> Iterator[tuple[int, Tile]]:
    """Levels and tiles that `kernel_cell` shows."""
    for row in rows_of(pyramid, format, (each, each)):
        for tile in row.tiles:
            yield row.level, tile


def _said(pyramid: Pyramid, tile: Tile, format: str) -> str:
    what = f"kernel {tile.label}" if format == "kernel" else tile.label
    weight = "" if format == "layer" else f" · {tile.weight:.2f}"
    maps = pyramid.layer(tile.layers[0]).maps
    cells = "no place" if maps is None else f"{'x'.join(map(str, maps.shape[1:]))} cells"
    return f"{what}{weight} · {cells}"
