"""Draws a Class Feature Pyramid as one picture: the class on top, its kernels level by level below.

As in figure 1 of CFP, rows grow downwards. Each tile is a kernel's activation over the video. Links
show which kernels rely on which; stronger links are thicker.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vidjax.explain.colours import DEFAULT, overlay
from vidjax.explain.pyramid import KeptLayer, Pyramid
from vidjax.explain.pyramid_layout import (
    EDGE,
    FOOT,
    LINE,
    Band,
    Box,
    Layout,
    Point,
    hub_of,
    label_of,
    lay_out,
)
from vidjax.explain.pyramid_tiles import TILES, Row, Tile, rows_of, strands_of, volume_of
from vidjax.explain.upsampling import CUBIC, Size
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 160
INK, FAINT, LINK, GROUND = "#1f2733", "#6a7482", "#3f6c93", "#f4f5f7"
# Font sizes in points, of text and of names of rows. Pages show wide pyramids at two thirds of
# their size.
_TEXT, _NAME = 8.5, 10
# More tiles than any level has.
_ALL = (10**9, 10**9)
# Longer side of the frames in tiles, in pixels; a picture has no more room for them.
_PIXELS = 192


@dataclass
class Moving:
    """A tile that can play.

    Attributes:
      image: the image of Matplotlib.
      frames: uint8 `[T, h, w, 3]`.
      volume: heatmap over them, `[T, h, w]` in [0, 1]; None for frames without one.
      colours: colours of the heatmap.
    """

    image: Any
    frames: np.ndarray
    volume: np.ndarray | None
    colours: str

    def at(self, time: int) -> np.ndarray:
        """Returns the tile's picture at a frame, uint8 `[h, w, 3]`."""
        return picture(self.frames, self.volume, time, self.colours)


@dataclass
class Drawing:
    """A drawn pyramid.

    Attributes:
      figure: the figure of Matplotlib.
      layout: positions of all parts.
      colours: colours of the heatmaps.
      tiles: the tiles that can play.
      clock: the text with the frame number; None in a still picture.
    """

    figure: Figure
    layout: Layout
    colours: str = DEFAULT
    tiles: list[Moving] = field(default_factory=list)
    clock: Any = None


def strongest(layer: KeptLayer, count: int = TILES[1]) -> np.ndarray:
    """Returns the indices of a layer's strongest kernels: by weight, then by connections."""
    return np.lexsort((layer.kernels, -layer.counts, -layer.weights))[:count]


def draw_pyramid(
    pyramid: Pyramid, frames: np.ndarray, title: str, tube: np.ndarray | None = None, **options: Any
) -> Figure:
    """Draws a pyramid.

    Args:
      pyramid: the pyramid of a clip.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: title of the picture, such as the class.
      tube: heatmap of the class, `[T, H, W]` in [0, 1], shown at the top. None shows the mean of
        the kernels that the class relies on.
      **options: options of `arrange`.

    Raises:
      ValueError: a setting is not valid, or sizes do not fit.
    """
    return arrange(pyramid, frames, title, tube, **options).figure


def arrange(
    pyramid: Pyramid,
    frames: np.ndarray,
    title: str,
    tube: np.ndarray | None = None,
    *,
    format: str = "kernel",
    draw: str = "own",
    degree: int | None = CUBIC,
    most: tuple[int, int] = TILES,
    facts: Sequence[str] = (),
    tube_name: str = "Saliency Tube",
    colours: str = DEFAULT,
    moving: bool = False,
) -> Drawing:
    """Draws a pyramid and returns what is needed to animate it.

    Args:
      pyramid: as in `draw_pyramid`.
      frames: as in `draw_pyramid`.
      title: as in `draw_pyramid`.
      tube: as in `draw_pyramid`.
      format: content of a tile: a `kernel`, a `group` of kernels, or a `layer`.
      draw: draw kernels by their `own` activations, or by the mean of their `children`'s.
      degree: degree of the upsampling splines, as in `upsampling.upsample`.
      most: the most tiles in the first row and in the last row.
      facts: further facts below the title, such as the network and its checkpoint.
      tube_name: description of the tube, such as its mode and its cells.
      colours: colours of the heatmaps, as in `colours.overlay`.
      moving: whether the tiles will play: one clock instead of a frame number below each tile.

    Raises:
      ValueError: as in `draw_pyramid`.
    """
    from matplotlib.figure import Figure

    small = smaller(frames)
    rows = rows_of(pyramid, format, most)
    layout = lay_out(rows, small.shape[2] / small.shape[1], apex=1 if moving else 3)
    figure = Figure(figsize=(layout.width, layout.height), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    drawing = Drawing(figure, layout, colours)
    _head(axes, layout, title, [*_settings(pyramid), *facts])
    _apex(axes, drawing, small, *_class_volume(pyramid, small, tube, tube_name))
    for number, row in enumerate(rows):
        _side(axes, layout.bands[number], row)
        for box, tile in zip(layout.bands[number].tiles, row.tiles, strict=True):
            volume = volume_of(pyramid, tile, _size(small), draw, degree)
            _tile(axes, drawing, box, small, volume, _caption(tile), moving=moving)
    if not rows:
        _write(
            axes, layout.apex.tiles[0].left, layout.apex.bottom + 0.3, "no kernel was kept", _TEXT
        )
    _links(axes, layout, pyramid, rows)
    whole = _count(rows) == _count(rows_of(pyramid, format, _ALL))
    _foot(axes, layout, format, draw, moving=moving, whole=whole)
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    return drawing


def picture(
    frames: np.ndarray, volume: np.ndarray | None, time: int, colours: str = DEFAULT
) -> np.ndarray:
    """Returns a frame with the heatmap over it, if there is one: uint8 `[h, w, 3]`."""
    now = slice(time, time + 1)
    return frames[time] if volume is None else overlay(frames[now], volume[now], colours)[0]


def peak(volume: np.ndarray) -> int:
    """Returns the frame with the largest value of a volume `[T, H, W]`."""
    return int(volume.max((1, 2)).argmax())


def is_still(volume: np.ndarray) -> bool:
    """Returns whether a volume `[T, H, W]` is the same in all frames, as with one cell in time."""
    return bool(np.allclose(volume, volume[:1], atol=1e-6))


def thirds(frames: int) -> list[int]:
    """Returns three frames of a clip, in the middle of each third."""
    return [min(int((third + 0.5) * frames / 3), frames - 1) for third in range(3)]


def smaller(frames: np.ndarray) -> np.ndarray:
    """Reduces frames `[T, H, W, 3]` to the largest size that a picture shows."""
    height, width = frames.shape[1:3]
    factor = _PIXELS / max(height, width)
    if factor >= 1:
        return frames
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.stack([cv2.resize(own, size, interpolation=cv2.INTER_AREA) for own in frames])


def _size(frames: np.ndarray) -> Size:
    return len(frames), frames.shape[1], frames.shape[2]


def _settings(pyramid: Pyramid) -> list[str]:
    frames = pyramid.size[0]
    return [
        f"θ = {pyramid.threshold:g}",
        f"one list per {'layer' if pyramid.mode == 'layer' else 'kernel'}",
        f"{frames} frame{'s' * (frames != 1)}",
    ]


def _head(axes: Any, layout: Layout, title: str, facts: Sequence[str]) -> None:
    middle = (layout.apex.tiles[0].left + layout.apex.tiles[-1].right) / 2
    _write(axes, middle, 0.3, figure_text(title), 15, ha="center", weight="bold")
    line = figure_text("  ·  ".join(facts), 160)
    _write(axes, middle, 0.6, line, _TEXT, ha="center", color=FAINT)


def _apex(
    axes: Any, drawing: Drawing, frames: np.ndarray, volume: np.ndarray | None, what: str
) -> None:
    band, moving = drawing.layout.apex, len(drawing.layout.apex.tiles) == 1
    for box, time in zip(band.tiles, thirds(len(frames)), strict=False):
        shown = "" if moving else f"frame {time}"
        _tile(axes, drawing, box, frames, volume, shown, moving=moving, time=time)
    _write(axes, EDGE, band.tiles[0].top + 0.1, "class", _NAME, weight="bold")
    _write(axes, EDGE, band.tiles[0].top + 0.22, figure_text(what), _TEXT, color=FAINT, va="top")
    if moving:
        x = band.tiles[0].middle
        drawing.clock = _write(axes, x, band.tiles[0].bottom + 0.12, "", _TEXT, ha="center")
    _colour_bar(axes, band, drawing.colours)


def _class_volume(
    pyramid: Pyramid, frames: np.ndarray, tube: np.ndarray | None, name: str
) -> tuple[np.ndarray | None, str]:
    """Returns the heatmap of the class over small frames, and its name."""
    if tube is not None:
        if len(tube) != len(frames):
            raise ValueError(f"the tube has {len(tube)} frames, the clip {len(frames)}")
        size = frames.shape[2], frames.shape[1]
        small = [cv2.resize(own, size, interpolation=cv2.INTER_AREA) for own in tube]
        return np.clip(np.stack(small), 0, 1), name
    place = "", pyramid.class_index
    children = pyramid.edges.get(place, ())
    if children and all(pyramid.layer(name).maps is not None for (name, _), _ in children):
        return pyramid.children_tube(*place, size=_size(frames)), "mean of its kernels"
    return None, "frames of the clip"


def _tile(
    axes: Any,
    drawing: Drawing,
    box: Box,
    frames: np.ndarray,
    volume: np.ndarray | None,
    caption: str,
    *,
    moving: bool,
    time: int | None = None,
) -> None:
    """Draws a tile at a frame; by default at the frame where it is most active."""
    if time is None:
        time, named = _most_active(frames, volume)
        first, _, second = caption.partition("\n")
        caption = f"{first}\n{'' if moving else named}{second}"
    extent = (box.left, box.right, box.bottom, box.top)
    shown = picture(frames, volume, time, drawing.colours)
    image = axes.imshow(shown, extent=extent, aspect="auto", zorder=3, interpolation="antialiased")
    _write(
        axes, box.middle, box.bottom + 0.04, caption, _TEXT, ha="center", va="top", gid="caption"
    )
    drawing.tiles.append(Moving(image, frames, volume, drawing.colours))


def _most_active(frames: np.ndarray, volume: np.ndarray | None) -> tuple[int, str]:
    """Returns the frame to show of a kernel, and its name for a caption."""
    middle = len(frames) // 2
    if volume is None:
        return middle, ""
    if is_still(volume):
        return middle, "all frames  "
    return peak(volume), f"frame {peak(volume)}  "


def _caption(tile: Tile) -> str:
    letter = f"{tile.letter} " if tile.letter else ""
    return f"{letter}{tile.label} · {tile.weight:.2f}\n×{tile.count}"


def _side(axes: Any, band: Band, row: Row) -> None:
    """Writes a row's level and layers beside it, on a background that leads to its tiles."""
    from matplotlib.patches import FancyBboxPatch

    low, high = band.top - 0.02, band.bottom
    right = axes.get_xlim()[1] - 0.12
    style = "round,pad=0,rounding_size=0.06"
    ground = FancyBboxPatch((0.12, low), right - 0.12, high - low, boxstyle=style, lw=0)
    ground.set(facecolor=GROUND, zorder=0)
    axes.add_patch(ground)
    middle = (band.top + band.bottom) / 2
    lines = label_of(row)
    top = middle - LINE / 2 * len(lines)
    _write(axes, EDGE, top, f"level {row.level}", _NAME, weight="bold")
    for number, line in enumerate(lines, start=1):
        colour = FAINT if line.endswith(("kept", "cells", "no location")) else INK
        _write(axes, EDGE, top + LINE * number, figure_text(line), _TEXT, color=colour, gid="side")


def _links(axes: Any, layout: Layout, pyramid: Pyramid, rows: Sequence[Row]) -> None:
    """Draws links; links of several parents to the same children meet in a hub."""
    hubs: list[Point] = []
    for strand in strands_of(pyramid, rows):
        row = strand.parents[0][0]
        starts = [layout.foot(*parent) for parent in strand.parents]
        if len(starts) > 1 and len(strand.children) > 1:
            hub = hub_of(layout, strand, hubs)
            hubs.append(hub)
            for start in starts:
                _curve(axes, [start, hub], 0.8, 0.55)
            axes.plot(*hub, "o", color=LINK, markersize=2.6, zorder=2)
            starts = [hub]
        for start in starts:
            for at, column, weight in strand.children:
                room = 1 - pyramid.threshold
                strength = (weight - pyramid.threshold) / room if room else 1.0
                strength = min(max(strength, 0.0), 1.0)
                way = layout.way(start, row, (at, column))
                _curve(axes, way, 0.5 + 1.3 * strength, 0.3 + 0.5 * strength)


def _curve(axes: Any, points: Sequence[Point], width: float, alpha: float) -> None:
    """Draws a link through points: curves between rows, straight lines past rows."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    vertices, codes = [points[0]], [Curve.MOVETO]
    for number, (start, end) in enumerate(itertools.pairwise(points)):
        if number % 2:
            vertices.append(end)
            codes.append(Curve.LINETO)
            continue
        middle = (start[1] + end[1]) / 2
        vertices += [(start[0], middle), (end[0], middle), end]
        codes += [Curve.CURVE4] * 3
    patch = PathPatch(Curve(vertices, codes), facecolor="none", edgecolor=LINK, linewidth=width)
    patch.set(alpha=alpha, zorder=1, gid="link")
    axes.add_patch(patch)


def _colour_bar(axes: Any, band: Band, colours: str) -> None:
    """Draws the colour bar over a grey frame, as the colours look over the video."""
    ramp = np.linspace(1, 0, 128, dtype=np.float32)[None, :, None]
    grey = np.full((1, 128, 1, 3), 128, np.uint8)
    box = band.tiles[-1]
    left = box.right + 0.3
    extent = (left, left + 0.11, box.bottom, box.top)
    axes.imshow(overlay(grey, ramp, colours)[0], extent=extent, aspect="auto", zorder=3)
    _write(axes, left + 0.18, box.top + 0.06, "most", _TEXT, color=FAINT)
    _write(axes, left + 0.18, (box.top + box.bottom) / 2, "activation", _TEXT, color=FAINT)
    _write(axes, left + 0.18, box.bottom - 0.06, "least", _TEXT, color=FAINT)


def _count(rows: Sequence[Row]) -> int:
    return sum(len(row.tiles) for row in rows)


def _foot(axes: Any, layout: Layout, format: str, draw: str, *, moving: bool, whole: bool) -> None:
    first = {"kernel": "kernel", "group": "group", "layer": "kernels"}[format]
    frame = "" if moving else "the frame shown (the most active one); "
    text = f"Below a tile: {first} · weight; {frame}× connections. Each map has its own scale."
    more = [] if whole else [f"Only the strongest {format}s of each level are drawn."]
    if draw == "children":
        more.append("Kernels with children are drawn as the mean of their children.")
    text = "\n".join(filter(None, (text, " ".join(more))))
    _write(axes, EDGE, layout.height - FOOT / 2, text, _TEXT, color=FAINT)


def _write(axes: Any, x: float, y: float, text: str, size: float, **settings: Any) -> Any:
    return axes.text(x, y, text, fontsize=size, **{"va": "center", "color": INK, **settings})
