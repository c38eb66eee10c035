"""Draws the stages of a network as SVG: one stack of frames per stage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from .stages import Outline, Stage, count, size

_COLUMN, _MARGIN, _STACK, _LINE = 118, 16, 112, 15
# A stage of 224 pixels is this wide; areas are proportional to pixels along a side.
_LARGEST, _PIXELS, _SMALLEST = 64.0, 224, 9.0
_OFFSET = 5
_INK, _FAINT, _INPUT = "#1b2530", "#5c6873", "#d9a441"
# Fewest and most channels of the scale of colours: light to dark blue.
_CHANNELS = (8, 2048)
_LIGHT, _DARK = (205, 226, 242), (16, 70, 128)
_FONT = "font-family='system-ui, -apple-system, Segoe UI, Roboto, sans-serif'"


def draw(outline: Outline) -> str:
    """Returns a diagram: input, stages and features from left to right, with a row per pathway.

    A stack has more frames the more frames the features have (one more for each doubling). Its side
    grows with the square root of the height in pixels, and its blue darkens with each doubling of
    the channels.
    """
    pathways = list(outline.pathways.values())
    columns = 2 + max(map(len, pathways))
    height = _STACK + 5 * _LINE + 8
    width, whole = columns * _COLUMN + 2 * _MARGIN, len(pathways) * height + _MARGIN
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {whole}' role='img' "
        f"width='{width}' height='{whole}' {_FONT} font-size='11.5'>",
        f"<title>{escape(_title(outline))}</title>",
        f"<rect width='{width}' height='{whole}' rx='8' fill='#ffffff'/>",
    ]
    for row, stages in enumerate(pathways):
        parts += _pathway(stages, row * height)
    parts += _ends(outline, (len(pathways) - 1) * height / 2, columns)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _title(outline: Outline) -> str:
    last = outline.stages[-1]
    return (
        f"{outline.network}: from clips of {size(outline.clip[:3])} to "
        f"{size(last.shape[:3])} with {last.shape[3]} channels"
    )


def _ends(outline: Outline, top: float, columns: int) -> Iterator[str]:
    """Yields the clip and the classifier, which all pathways share."""
    centre, (first, last) = top + _MARGIN + _STACK / 2, (_middle(0), _middle(columns - 1))
    yield from _stack(first, centre, outline.clip, _INPUT)
    yield from _text(first, top, ["clip", f"{outline.clip[3]} channels", size(outline.clip[:3])])
    colour = _colour(outline.features)
    yield (
        f"<rect x='{last - 6:.1f}' y='{centre - 36:.1f}' width='12' height='72' rx='2' "
        f"fill='{colour}'/>"
    )
    yield from _text(last, top, ["classifier", f"{outline.features} features", "400 classes"])


def _pathway(stages: list[Stage], top: float) -> Iterator[str]:
    """Yields the stages of a row, and arrows between them."""
    centre = top + _MARGIN + _STACK / 2
    for number in range(len(stages) + 1):
        yield _arrow((_middle(number) + _middle(number + 1)) / 2, centre)
    for number, stage in enumerate(stages, start=1):
        yield from _stack(_middle(number), centre, stage.shape, _colour(stage.shape[3]))
        yield from _text(_middle(number), top, _lines(stage))


def _middle(column: int) -> float:
    return _MARGIN + (column + 0.5) * _COLUMN


def _lines(stage: Stage) -> list[str]:
    """Returns the text under a stage."""
    blocks = "" if not stage.blocks else f"{stage.blocks} block{'s' * (stage.blocks != 1)}, "
    name = f"{stage.pathway} {stage.name}".strip()
    lines = [name, f"{blocks}{stage.shape[3]} ch", size(stage.shape[:3])]
    if stage.cost:
        lines.append(f"{count(stage.cost[0])} params")
        lines.append(f"{count(stage.cost[1])} MAC")
    return lines


def _stack(x: float, y: float, shape: tuple[int, ...], fill: str) -> Iterator[str]:
    """Yields the frames of a stage, the last one behind."""
    frames = 1 + math.ceil(math.log2(shape[0]))
    side = max(_SMALLEST, min(80.0, _LARGEST * math.sqrt(shape[1] / _PIXELS)))
    spread = _OFFSET * (frames - 1)
    left, upper = x - (side + spread) / 2, y - (side - spread) / 2
    for number in reversed(range(frames)):
        shift = _OFFSET * number
        yield (
            f"<rect x='{left + shift:.1f}' y='{upper - shift:.1f}' width='{side:.1f}' "
            f"height='{side:.1f}' fill='{fill}' stroke='#ffffff' stroke-width='1'/>"
        )


def _arrow(x: float, y: float) -> str:
    return (
        f"<path d='M {x - 5:.1f} {y:.1f} h 9 m -4 -4 l 4 4 l -4 4' fill='none' "
        f"stroke='{_FAINT}' stroke-width='1.3'/>"
    )


def _text(x: float, top: float, lines: list[str]) -> Iterator[str]:
    """Yields centred lines under a stack; the first one is bold."""
    for number, line in enumerate(lines):
        y = top + _MARGIN + _STACK + (number + 0.7) * _LINE
        look = f"fill='{_INK}' font-weight='600'" if not number else f"fill='{_FAINT}'"
        yield f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='middle' {look}>{escape(line)}</text>"


def _colour(channels: int) -> str:
    """Returns the blue of a number of channels."""
    low, high = map(math.log2, _CHANNELS)
    share = min(1.0, max(0.0, (math.log2(channels) - low) / (high - low)))
    mixed = (round(a + share * (b - a)) for a, b in zip(_LIGHT, _DARK, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)
