"""Draws captions into pictures, in a readable font."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidjax.untrusted_names import short

INK = (25, 25, 25)
FAINT = (95, 95, 95)
# The most lines of a caption; further lines are cut.
_MOST_LINES = 4
_LEADING = 1.3


def caption(title: str, facts: Sequence[str], width: int, size: int = 13) -> np.ndarray:
    """Draws a title in bold with facts below it, uint8 `[H, W, 3]` on white.

    Args:
      title: one line. A long title is drawn smaller; a very long one is cut.
      facts: facts, set one after the other over as many lines as needed.
      width: width of the picture in pixels.
      size: font size in pixels.
    """
    margin, below = size // 2, size - 2
    room = max(1, width - 2 * margin)
    lines = [(short(title, 100), True, size, INK)] if title else []
    lines += [(line, False, below, FAINT) for line in wrapped(facts, room, below)]
    heights = [round(_LEADING * own) for _, _, own, _ in lines]
    canvas = Image.new("RGB", (width, sum(heights) + margin), (255, 255, 255))
    draw, top = ImageDraw.Draw(canvas), margin // 2
    for (text, bold, own, ink), height in zip(lines, heights, strict=True):
        fitting, font = _fitted(text, room, own, bold=bold)
        draw.text((margin, top), fitting, fill=ink, font=font)
        top += height
    return np.asarray(canvas)


def line(text: str, width: int, size: int = 11, *, centred: bool = True) -> np.ndarray:
    """Draws one line of text, uint8 `[H, W, 3]` on white."""
    fitting, font = _fitted(short(text, 200), width, size, bold=False)
    canvas = Image.new("RGB", (width, round(1.7 * size)), (255, 255, 255))
    left = (width - font.getlength(fitting)) / 2 if centred else size / 2
    ImageDraw.Draw(canvas).text((left, 0.2 * size), fitting, fill=FAINT, font=font)
    return np.asarray(canvas)


def wrapped(parts: Sequence[str], width: int, size: int) -> list[str]:
    """Wraps parts into lines of at most `width` pixels, with dots between the parts."""
    lines: list[str] = []
    for part in filter(None, map(short, parts)):
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and _font(size, bold=False).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines[:_MOST_LINES]


def _fitted(text: str, width: int, size: int, *, bold: bool) -> tuple[str, ImageFont.FreeTypeFont]:
    """Returns text that fits, with its font. A long text is drawn smaller first, then cut."""
    needed = _font(size, bold=bold).getlength(text)
    size = max(9, min(size, int(size * width / max(1.0, needed))))
    font = _font(size, bold=bold)
    longest = len(text)
    while longest > 1 and font.getlength(short(text, longest)) > width:
        longest -= 1
    return short(text, longest), font


@functools.cache
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib as mpl

    # The font comes with Matplotlib and has the letters of most European languages.
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/{name}", size)
