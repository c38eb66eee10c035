"""Draws kernels as strips of three frames, in a grid of networks and videos.

As in figures 4 and 5 of CFP, and 7.10 to 7.12 and 6.3 of the thesis, each network is a row. Each
video, or each class of one video, is a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vidjax.explain.colours import DEFAULT
from vidjax.explain.pyramid_figure import DPI, FAINT, INK, picture, smaller, thirds
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# In inches: longer side of a frame, gap between kernels, gap between cells.
FRAME, BETWEEN, APART = 0.74, 0.14, 0.3
SIDE, EDGE, HEAD, FOOT = 1.45, 0.15, 0.4, 0.3
TITLE, CAPTION, CAPTION_LINE = 0.24, 0.36, 0.11
# The most characters of a line below a strip of three frames.
_LETTERS = 40
# The most characters of the first line beside a row, and of the lines below it.
_HEADING, _LINE = 16, 21


@dataclass(frozen=True)
class Strip:
    """A kernel, or several drawn as one.

    Attributes:
      name: name of its layer, or of layers that are added, with ` + ` in between.
      said: its caption, such as number, weight and cells.
      volume: where it is active, `[T, h, w]` in [0, 1], of the size of the cell's small frames.
        None if it has no location in space and time.
    """

    name: str
    said: str
    volume: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Cell:
    """What one network sees of one class in one video.

    Attributes:
      title: title, such as the class and its probability.
      frames: the clip, uint8 `[T, H, W, 3]`.
      lines: lines of strips.
    """

    title: str
    frames: np.ndarray = field(repr=False)
    lines: tuple[tuple[Strip, ...], ...]

    @property
    def small(self) -> np.ndarray:
        """The frames at the size at which a picture shows them."""
        return smaller(self.frames)


def draw_strips(
    cells: Sequence[Sequence[Cell]],
    rows: Sequence[str],
    columns: Sequence[str],
    foot: str,
    colours: str = DEFAULT,
) -> Figure:
    """Draws a grid of cells.

    Args:
      cells: cells, row by row.
      rows: names of the rows, such as networks; further lines give details.
      columns: names of the columns, such as videos.
      foot: text at the bottom.
      colours: as in `vidjax.explain.colours.overlay`.
    """
    from matplotlib.figure import Figure

    grid = _Grid.of(cells)
    figure = Figure(figsize=(grid.width, grid.height), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, grid.width), ylim=(grid.height, 0))
    for column, name in enumerate(columns):
        middle = grid.lefts[column] + grid.widths[column] / 2
        _write(axes, middle, 0.22, figure_text(name, 28), 10, ha="center", weight="bold")
    for row, name in enumerate(rows):
        first, *more = name.split("\n")
        first, more = ending(first, _HEADING), [line for text in more for line in _beside(text)]
        top = grid.tops[row] + TITLE
        _write(axes, EDGE, top + 0.08, figure_text(first), 9, weight="bold")
        _write(axes, EDGE, top + 0.18, "\n".join(more), 7, color=FAINT, va="top")
        for column, cell in enumerate(cells[row]):
            place = grid.lefts[column], grid.tops[row]
            _cell(axes, place, cell, shows_clip(cells, row, column), colours)
    _write(axes, EDGE, grid.height - FOOT / 2, foot, 7, color=FAINT)
    axes.set(xlim=(0, grid.width), ylim=(grid.height, 0))
    return figure


def shows_clip(cells: Sequence[Sequence[Cell]], row: int, column: int) -> bool:
    """Returns whether a cell starts with its clip; it does unless the cell above has the same."""
    if not row:
        return True
    return not np.array_equal(cells[row][column].frames, cells[row - 1][column].frames)


@dataclass(frozen=True)
class _Grid:
    """Positions of cells, in inches from the upper left corner."""

    lefts: list[float]
    widths: list[float]
    tops: list[float]
    width: float
    height: float

    @classmethod
    def of(cls, cells: Sequence[Sequence[Cell]]) -> _Grid:
        widths = [max(map(_cell_width, column)) for column in zip(*cells, strict=True)]
        heights = [
            max(
                _cell_height(cell, shows_clip(cells, row, column))
                for column, cell in enumerate(own)
            )
            for row, own in enumerate(cells)
        ]
        lefts = [SIDE + sum(widths[:place]) + APART * place for place in range(len(widths))]
        tops = [HEAD + sum(heights[:place]) for place in range(len(heights))]
        width = lefts[-1] + widths[-1] + EDGE
        return cls(lefts, widths, tops, width, tops[-1] + heights[-1] + FOOT)


def _frame_size(cell: Cell) -> tuple[float, float]:
    height, width = cell.frames.shape[1:3]
    longer = max(height, width)
    return FRAME * width / longer, FRAME * height / longer


def _cell_width(cell: Cell) -> float:
    width, most = _frame_size(cell)[0], max([1, *map(len, cell.lines)])
    return most * 3 * width + (most - 1) * BETWEEN


def _cell_height(cell: Cell, shows: bool) -> float:
    wide, high = _frame_size(cell)
    captions = [_caption_height(line, wide) for line in cell.lines] or [CAPTION]
    captions += [CAPTION] * shows
    return TITLE + len(captions) * high + sum(captions) + BETWEEN


def _caption_height(line: Sequence[Strip], wide: float) -> float:
    names = max(len(_name_lines(strip.name, wide)) for strip in line)
    return CAPTION + (names - 1) * CAPTION_LINE


def _cell(axes: Any, place: tuple[float, float], cell: Cell, shows: bool, colours: str) -> None:
    left, top = place
    wide, high = _frame_size(cell)
    times = thirds(len(cell.frames))
    _write(axes, left, top + TITLE / 2, figure_text(cell.title), 8.5)
    top += TITLE
    lines = list(cell.lines)
    if shows:
        numbers = ", ".join(map(str, times))
        lines.insert(0, (Strip("", f"frames {numbers} of {len(cell.frames)}", None),))
    if not cell.lines:
        _write(axes, left, top + shows * (high + CAPTION) + high / 2, "no kernel was kept", 8)
    for line in lines:
        for number, strip in enumerate(line):
            start = left + number * (3 * wide + BETWEEN)
            for third, time in enumerate(times):
                shown = picture(cell.small, strip.volume, time, colours)
                extent = (start + third * wide, start + (third + 1) * wide, top + high, top)
                axes.imshow(shown, extent=extent, aspect="auto", zorder=3)
            middle = start + 1.5 * wide
            caption = _said(strip, wide)
            settings = {"ha": "center", "va": "top", "gid": "caption"}
            _write(axes, middle, top + high + 0.04, caption, 6.5, **settings)
        top += high + _caption_height(line, wide)


def _said(strip: Strip, wide: float) -> str:
    """Returns a caption that fits below three frames."""
    lines = [*_name_lines(strip.name, wide), strip.said]
    return "\n".join(figure_text(line) for line in lines if line)


def _name_lines(name: str, wide: float) -> list[str]:
    """Wraps the names of layers that are added; a name that is still too long keeps its end."""
    longest = round(_LETTERS * wide / FRAME)
    if len(name) <= longest:
        return [name]
    first, *others = name.split(" + ")
    return [ending(line, longest) for line in (first, *(f"+ {other}" for other in others))]


def ending(name: str, longest: int) -> str:
    """Shortens a name at its start, because names of layers differ at their ends."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def _beside(text: str) -> list[str]:
    """Wraps a text beside a row after hyphens; a part that is still too long keeps its end."""
    lines = [""]
    for part in text.replace("-", "-\n").split("\n"):
        if len(lines[-1] + part) > _LINE:
            lines.append("")
        lines[-1] += part
    return [figure_text(ending(line, _LINE)) for line in lines if line]


def _write(axes: Any, x: float, y: float, text: str, size: float, **settings: Any) -> Any:
    return axes.text(x, y, text, fontsize=size, **{"va": "center", "color": INK, **settings})
