"""Lays out the picture of a pyramid, in inches from its upper left corner.

Rows are centred below the class. Links run between rows. A link that skips a row passes between two
of its tiles, so that no link crosses a tile or its caption.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidjax.explain.pyramid_tiles import Row, Strand

Point = tuple[float, float]
# The longer side of a tile; those of the class are larger.
TILE, APEX = 0.86, 1.2
GAP = 0.17
# Room for captions: two lines below a tile, one line below the tiles of the class.
CAPTION, APEX_CAPTION = 0.42, 0.25
# Room for links between rows.
LINKS = 0.54
# Room for names of levels and layers beside the rows, and the margin of the other edges.
SIDE, EDGE = 2.6, 0.3
HEAD, FOOT = 0.86, 0.46
LINE = 0.165
# The class with its colour bar needs this width.
NARROWEST = 6.4
LETTERS = 32
# Distance of links from tiles and captions.
CLEAR = 0.03


@dataclass(frozen=True)
class Box:
    """A rectangle: left edge, upper edge, width and height."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Horizontal centre."""
        return self.left + self.width / 2

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Band:
    """A row of tiles.

    Attributes:
      tiles: tiles from left to right.
      top: height at which links may arrive.
      bottom: height at which links may leave, below the captions.
    """

    tiles: tuple[Box, ...]
    top: float
    bottom: float

    def gap(self, x: float) -> float:
        """Returns the position nearest to `x` at which a link can pass the row."""
        places = [own.left - GAP / 2 for own in self.tiles]
        places.append(self.tiles[-1].right + GAP / 2)
        return min(places, key=lambda place: abs(place - x))


@dataclass(frozen=True)
class Layout:
    """Positions of all parts of a picture.

    Attributes:
      width: width of the picture.
      height: height of the picture.
      apex: tiles of the class.
      bands: the rows below it.
    """

    width: float
    height: float
    apex: Band
    bands: tuple[Band, ...]

    def band(self, row: int) -> Band:
        """Returns a row; -1 is the class."""
        return self.apex if row < 0 else self.bands[row]

    def foot(self, row: int, column: int) -> Point:
        """Returns where links leave a tile; links of the class leave from its middle."""
        band = self.band(row)
        if row < 0:
            return (band.tiles[0].left + band.tiles[-1].right) / 2, band.bottom
        return band.tiles[column].middle, band.bottom

    def way(self, start: Point, row: int, to: tuple[int, int]) -> list[Point]:
        """Returns the points of a link, from a point below a row to the top of a tile further down.

        The link is a curve between the first two points, a straight line down between the next two,
        and so on.
        """
        target = self.bands[to[0]]
        end = (target.tiles[to[1]].middle, target.top - CLEAR)
        points = [start]
        for between in range(row + 1, to[0]):
            band = self.bands[between]
            share = (band.top - start[1]) / (end[1] - start[1])
            x = band.gap(start[0] + share * (end[0] - start[0]))
            points += [(x, band.top - CLEAR), (x, band.bottom)]
        return [*points, end]


def lay_out(rows: Sequence[Row], aspect: float, apex: int = 3) -> Layout:
    """Computes the positions of all tiles.

    Args:
      rows: from `rows_of`.
      aspect: width of the frames divided by their height.
      apex: number of tiles of the class.
    """
    wide, high = min(1.0, aspect), min(1.0, 1 / aspect)
    widest = max([_width(len(row.tiles), TILE * wide) for row in rows], default=0)
    inner = max(widest, NARROWEST)
    centre = SIDE + inner / 2
    top = HEAD
    above = _band(apex, centre, top, (APEX * wide, APEX * high), APEX_CAPTION, 0)
    bands, top = [], above.bottom + LINKS
    for row in rows:
        least = LINE * (len(label_of(row)) + 1)
        band = _band(len(row.tiles), centre, top, (TILE * wide, TILE * high), CAPTION, least)
        bands.append(band)
        top = band.bottom + LINKS
    bottom = bands[-1].bottom if bands else above.bottom + LINKS
    return Layout(SIDE + inner + EDGE, bottom + FOOT, above, tuple(bands))


def _width(count: int, tile: float) -> float:
    return count * tile + (count - 1) * GAP


def _band(count: int, centre: float, top: float, size: Point, caption: float, least: float) -> Band:
    width, height = size
    spare = max(0.0, least - height - caption) / 2
    left = centre - _width(count, width) / 2
    tiles = (
        Box(left + column * (width + GAP), top + spare, width, height) for column in range(count)
    )
    return Band(tuple(tiles), top, top + 2 * spare + height + caption)


def label_of(row: Row) -> list[str]:
    """Returns the lines beside a row, below the number of its level."""
    common = {layer.cells for layer in row.layers}
    lines = [_cells(next(iter(common)))] if len(common) == 1 and len(row.layers) > 1 else []
    for layer in row.layers:
        letter = f"{layer.letter}  " if layer.letter else ""
        lines += [f"{letter}{name}" for name in map(_cut, sum_lines(layer.names))]
        if not lines or not lines[0].endswith("cells") or len(row.layers) == 1:
            lines.append(f"{_cells(layer.cells)}, {layer.kept} kept")
        else:
            lines[-1] += f" ({layer.kept})"
    return lines


def _cells(cells: tuple[int, ...] | None) -> str:
    return f"{'x'.join(map(str, cells))} cells" if cells else "after pooling: no location"


def sum_lines(names: Sequence[str]) -> Iterator[str]:
    """Yields names of layers whose outputs are added; later ones without the common prefix."""
    first, *others = names
    yield first
    for name in others:
        shared = 0
        for one, other in zip(first.split("/"), name.split("/"), strict=False):
            if one != other:
                break
            shared += 1
        yield f"+ {'/'.join(name.split('/')[shared:]) or name}"


def _cut(name: str) -> str:
    """Shortens a name at its start, because names of layers differ at their ends."""
    return name if len(name) <= LETTERS else f"…{name[1 - LETTERS :]}"


def hub_of(layout: Layout, strand: Strand, taken: Sequence[Point]) -> Point:
    """Returns where the links of a strand meet: below its parents, away from other hubs."""
    row = strand.parents[0][0]
    feet = [layout.foot(*parent)[0] for parent in strand.parents]
    ends = [layout.bands[at].tiles[column].middle for at, column, _ in strand.children]
    x = (sum(feet) / len(feet) + sum(ends) / len(ends)) / 2
    y = layout.band(row).bottom + 0.42 * LINKS
    while any(abs(x - other) < 0.2 and abs(y - height) < 1e-6 for other, height in taken):
        x += 0.25
    return x, y
