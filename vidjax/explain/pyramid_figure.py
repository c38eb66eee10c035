"""A class feature pyramid as one picture: the class above, kernels below it, level by level.

Figure 1 of CFP: rows grow downwards, each tile is a kernel's activation over the video, and links
show what relies on what, the stronger the thicker.
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
from vidjax.untrusted_names import lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 160
INK, FAINT, LINK, GROUND = "#1f2733", "#6a7482", "#3f6c93", "#f4f5f7"
# Longer side of what tiles show, in pixels: no more than a picture has for them.
_PIXELS = 192


@dataclass
class Moving:
    """A tile that can play.

    Attributes:
      image: of Matplotlib.
      frames: uint8 `[T, h, w, 3]`.
      volume: heat over them, `[T, h, w]` in [0, 1]; None for frames alone.
      colours: of the heat.
    """

    image: Any
    frames: np.ndarray
    volume: np.ndarray | None
    colours: str

    def at(self, time: int) -> np.ndarray:
        """What it shows at a frame, uint8 `[h, w, 3]`."""
        return picture(self.frames, self.volume, time, self.colours)


@dataclass
class Drawing:
    """A drawn pyramid.

    Attributes:
      figure: of Matplotlib.
      layout: where things are.
      colours: of the heat.
      tiles: that can play.
      clock: the text that says which frame is shown; None in a picture that stands.
    """

    figure: Figure
    layout: Layout
    colours: str = DEFAULT
    tiles: list[Moving] = field(default_factory=list)
    clock: Any = None


def strongest(layer: KeptLayer, count: int = TILES[1]) -> np.ndarray:
    """Places in a layer of its most relied-on kernels: by weight, then by connections."""
    return np.lexsort((layer.kernels, -layer.counts, -layer.weights))[:count]


def draw_pyramid(
    pyramid: Pyramid, frames: np.ndarray, title: str, tube: np.ndarray | None = None, **options: Any
) -> Figure:
    """Draws a pyramid.

    Args:
      pyramid: of a clip.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: above all, such as the class.
      tube: of the class, `[T, H, W]` in [0, 1], shown at the top; None is the mean of the kernels
        that the class relies on.
      **options: of `arrange`.

    Raises:
      ValueError: a setting is not of its kind, or sizes do not fit.
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
    """Draws a pyramid, with what is needed to let it play.

    Args:
      pyramid: as in `draw_pyramid`.
      frames: likewise.
      title: likewise.
      tube: likewise.
      format: what a tile is: a `kernel`, a `group` of kernels, or a `layer`.
      draw: kernels by their `own` activations or by the mean of their `children`'s.
      degree: of the splines that enlarge them, as in `enlarging.enlarge`.
      most: tiles of the first row at most, and of the last.
      facts: more to be said below the title, such as the network and its checkpoint.
      tube_name: what the tube is, such as its form and its cells.
      colours: of the heat, as in `colours.overlay`.
      moving: whether the tiles are to play: one clock, and no frame below each tile.

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
        _write(axes, layout.apex.tiles[0].left, layout.apex.bottom + 0.3, "no kernel is kept", 8)
    _links(axes, layout, pyramid, rows)
    _foot(axes, layout, format, draw, moving)
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    return drawing


def picture(
    frames: np.ndarray, volume: np.ndarray | None, time: int, colours: str = DEFAULT
) -> np.ndarray:
    """A frame with the heat over it, if there is any: uint8 `[h, w, 3]`."""
    now = slice(time, time + 1)
    return frames[time] if volume is None else overlay(frames[now], volume[now], colours)[0]


def peak(volume: np.ndarray) -> int:
    """The frame at which a volume `[T, H, W]` is largest somewhere."""
    return int(volume.max((1, 2)).argmax())


def thirds(frames: int) -> list[int]:
    """Three frames of a clip, in the middle of each third of it."""
    return [min(int((third + 0.5) * frames / 3), frames - 1) for third in range(3)]


def smaller(frames: np.ndarray) -> np.ndarray:
    """Frames `[T, H, W, 3]` no larger than a picture shows them, at their own aspect."""
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
        f"{pyramid.mode}-wise back-step",
        f"{frames} frame{'s' * (frames != 1)}",
    ]


def _head(axes: Any, layout: Layout, title: str, facts: Sequence[str]) -> None:
    middle = (layout.apex.tiles[0].left + layout.apex.tiles[-1].right) / 2
    _write(axes, middle, 0.3, lettering(title), 13, ha="center", weight="bold")
    line = lettering("  ·  ".join(facts), 160)
    _write(axes, middle, 0.56, line, 7.5, ha="center", color=FAINT)


def _apex(
    axes: Any, drawing: Drawing, frames: np.ndarray, volume: np.ndarray | None, what: str
) -> None:
    band, moving = drawing.layout.apex, len(drawing.layout.apex.tiles) == 1
    for box, time in zip(band.tiles, thirds(len(frames)), strict=False):
        shown = "" if moving else f"frame {time}"
        _tile(axes, drawing, box, frames, volume, shown, moving=moving, time=time)
    _write(axes, EDGE, band.tiles[0].top + 0.1, "class", 8.5, weight="bold")
    _write(axes, EDGE, band.tiles[0].top + 0.19, lettering(what), 7, color=FAINT, va="top")
    if moving:
        x = band.tiles[0].middle
        drawing.clock = _write(axes, x, band.tiles[0].bottom + 0.1, "", 7, ha="center")
    _colour_bar(axes, band, drawing.colours)


def _class_volume(
    pyramid: Pyramid, frames: np.ndarray, tube: np.ndarray | None, name: str
) -> tuple[np.ndarray | None, str]:
    """Heat of the class over small frames, and what it is called."""
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
    """Draws a tile at a frame, or at the one where it is most active."""
    if time is None:
        time = len(frames) // 2 if volume is None else peak(volume)
        first, _, second = caption.partition("\n")
        frame = "" if moving else f"frame {time}  "
        caption = f"{first}\n{frame}{second}"
    extent = (box.left, box.right, box.bottom, box.top)
    shown = picture(frames, volume, time, drawing.colours)
    image = axes.imshow(shown, extent=extent, aspect="auto", zorder=3, interpolation="antialiased")
    _write(axes, box.middle, box.bottom + 0.04, caption, 6.5, ha="center", va="top", gid="caption")
    drawing.tiles.append(Moving(image, frames, volume, drawing.colours))


def _caption(tile: Tile) -> str:
    letter = f"{tile.letter} " if tile.letter else ""
    return f"{letter}{tile.label} · {tile.weight:.2f}\n×{tile.count}"


def _side(axes: Any, band: Band, row: Row) -> None:
    """Writes a row's level and layers beside it, on a ground that leads to its tiles."""
    from matplotlib.patches import FancyBboxPatch

    low, high = band.top - 0.02, band.bottom
    right = axes.get_xlim()[1] - 0.12
    style = "round,pad=0,rounding_size=0.06"
    ground = FancyBboxPatch((0.12, low), right - 0.12, high - low, boxstyle=style, lw=0)
    ground.set(facecolor=GROUND, zorder=0)
    axes.add_patch(ground)
    middle = (band.top + band.bottom) / 2
    lines = label_of(row)
    top = middle - 0.064 * (len(lines) + 1) + 0.064
    _write(axes, EDGE, top, f"level {row.level}", 8.5, weight="bold")
    for number, line in enumerate(lines, start=1):
        colour = FAINT if line.endswith(("kept", "cells", "no place")) else INK
        _write(axes, EDGE, top + 0.128 * number, lettering(line), 6.5, color=colour, gid="side")


def _links(axes: Any, layout: Layout, pyramid: Pyramid, rows: Sequence[Row]) -> None:
    """Draws what relies on what; several that rely on the same meet in a hub."""
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
    """Draws a link through points: a curve, a straight line past a row, a curve, and so on."""
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
    """What the colours mean, over a grey frame as they lie over the video."""
    ramp = np.linspace(1, 0, 128, dtype=np.float32)[None, :, None]
    grey = np.full((1, 128, 1, 3), 128, np.uint8)
    box = band.tiles[-1]
    left = box.right + 0.3
    extent = (left, left + 0.11, box.bottom, box.top)
    axes.imshow(overlay(grey, ramp, colours)[0], extent=extent, aspect="auto", zorder=3)
    _write(axes, left + 0.18, box.top + 0.06, "most", 7, color=FAINT)
    _write(axes, left + 0.18, (box.top + box.bottom) / 2, "activation", 7, color=FAINT)
    _write(axes, left + 0.18, box.bottom - 0.06, "least", 7, color=FAINT)


def _foot(axes: Any, layout: Layout, format: str, draw: str, moving: bool) -> None:
    first = {"kernel": "kernel", "group": "group", "layer": "kernels"}[format]
    frame = "" if moving else "the frame that is shown, its most active; "
    text = f"below a tile: {first} · weight; {frame}× connections. Each map is scaled by itself."
    if draw == "children":
        text += " A kernel is drawn as the mean of what it relies on, where that is shown."
    _write(axes, EDGE, layout.height - FOOT / 2, text, 7, color=FAINT)


def _write(axes: Any, x: float, y: float, text: str, size: float, **settings: Any) -> Any:
    return axes.text(x, y, text, fontsize=size, **{"va": "center", "color": INK, **settings})
