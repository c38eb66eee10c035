"""Where everything is in the picture of a pyramid, in inches from its upper left corner.

Rows are centred below the class. Links run between rows; one that skips a row passes it between
two tiles, so that no link crosses a tile or what is written below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidjax.explain.pyramid_tiles import Row, Strand

Point = tuple[float, float]
# The longer side of a tile; those of the class are larger.
TILE, APEX = 0.86, 1.2
GAP = 0.17
# Below a tile, for two lines, and below those of the class, for one.
CAPTION, APEX_CAPTION = 0.33, 0.2
# Between rows, for links.
LINKS = 0.54
# Beside the rows, for names of levels and layers; and the other edges.
SIDE, EDGE = 2.15, 0.3
HEAD, FOOT = 0.78, 0.42
LINE = 0.128
# The class with its colour bar needs as much.
NARROWEST = 6.4
LETTERS = 32
# Links keep so far from tiles and captions.
CLEAR = 0.03


@dataclass(frozen=True)
class Box:
    """A rectangle: its left and upper edge, and its size."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Half way from left to right."""
        return self.left + self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Band:
    """A row of tiles.

    Attributes:
      tiles: from left to right.
      top: where links may arrive.
      bottom: where links may leave: what is written below the tiles is above it.
    """

    tiles: tuple[Box, ...]
    top: float
    bottom: float

    def gap(self, x: float) -> float:
        """The place nearest to `x` where a link may pass the row."""
        places = [own.left - GAP / 2 for own in self.tiles]
        places.append(self.tiles[-1].right + GAP / 2)
        return min(places, key=lambda place: abs(place - x))


@dataclass(frozen=True)
class Layout:
    """A picture.

    Attributes:
      width: of the picture.
      height: likewise.
      apex: tiles of the class.
      bands: the rows below it.
    """

    width: float
    height: float
    apex: Band
    bands: tuple[Band, ...]

    def band(self, row: int) -> Band:
        """A row; -1 is the class."""
        return self.apex if row < 0 else self.bands[row]

    def foot(self, row: int, column: int) -> Point:
        """Where links leave a tile; those of the class leave from its middle."""
        band = self.band(row)
        if row < 0:
            return (band.tiles[0].left + band.tiles[-1].right) / 2, band.bottom
        return band.tiles[column].middle, band.bottom

    def way(self, start: Point, row: int, to: tuple[int, int]) -> list[Point]:
        """Points that a link passes, from one below a row to the top of a tile further down.

        Between the first two it is a curve, between the next two a straight line down, and so on.
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
    """Places of the tiles.

    Args:
      rows: of `rows_of`.
      aspect: width of the frames over their height.
      apex: tiles of the class.
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
    """What is written beside a row below the number of its level, in lines."""
    common = {layer.cells for layer in row.layers}
    lines = [_cells(next(iter(common)))] if len(common) == 1 and len(row.layers) > 1 else []
    for layer in row.layers:
        letter = f"{layer.letter}  " if layer.letter else ""
        lines += [f"{letter}{name}" for name in _names(layer.names)]
        if not lines or not lines[0].endswith("cells") or len(row.layers) == 1:
            lines.append(f"{_cells(layer.cells)}, {layer.kept} kept")
        else:
            lines[-1] += f" ({layer.kept})"
    return lines


def _cells(cells: tuple[int, ...] | None) -> str:
    return f"{'x'.join(map(str, cells))} cells" if cells else "after pooling: no place"


def _names(names: Sequence[str]) -> Iterator[str]:
    """Names of layers that are one sum, the later ones without what they share with the first."""
    first, *others = names
    yield _cut(first)
    for name in others:
        shared = 0
        for one, other in zip(first.split("/"), name.split("/"), strict=False):
            if one != other:
                break
            shared += 1
        yield f"+ {_cut('/'.join(name.split('/')[shared:]) or name)}"


def _cut(name: str) -> str:
    """A name whose end is kept: there layers differ."""
    return name if len(name) <= LETTERS else f"…{name[1 - LETTERS :]}"


def hub_of(layout: Layout, strand: Strand, taken: Sequence[Point]) -> Point:
    """Where the links of a strand come together: below its parents, apart from other hubs."""
    row = strand.parents[0][0]
    feet = [layout.foot(*parent)[0] for parent in strand.parents]
    ends = [layout.bands[at].tiles[column].middle for at, column, _ in strand.children]
    x = (sum(feet) / len(feet) + sum(ends) / len(ends)) / 2
    y = layout.band(row).bottom + 0.42 * LINKS
    while any(abs(x - other) < 0.2 and abs(y - height) < 1e-6 for other, height in taken):
        x += 0.25
    return x, y
