"""Draws a contact sheet of a video: one row of frames, one row per map, and the colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidjax.data.encode import write_png
from vidjax.explain.captioned_map import CaptionedMap
from vidjax.explain.captions import caption, line
from vidjax.explain.colours import scale
from vidjax.explain.panels import Panels
from vidjax.explain.source_video import SourceVideo

COLUMNS = 5
WIDEST = 2400
_GAP = 3
# Pages show a sheet about 740 pixels wide, so text is as large as can be read at that width.
_SMALLEST_TEXT, _TEXT_PER_SHEET = 11, 72


def write_sheet(
    file: Path,
    footage: SourceVideo,
    drawn: Sequence[CaptionedMap],
    colours: str,
    columns: int = COLUMNS,
) -> None:
    """Writes a contact sheet as PNG.

    Args:
      file: the file to write.
      footage: the video.
      drawn: maps of the clip that was cut from it.
      colours: one of `vidjax.explain.colours.COLOURS`.
      columns: frames per row, evenly spaced in time.
    """
    chosen = evenly_spaced(len(footage.places), columns)
    panels = Panels(footage, drawn, colours, WIDEST / len(chosen) - _GAP)
    tiles = [
        panels.at(frame, footage.places[number])
        for number, frame in enumerate(footage.frames())
        if number in chosen
    ]
    rows = [_row([own[place] for own in tiles]) for place in range(len(drawn) + 1)]
    width = rows[0].shape[1]
    text = max(_SMALLEST_TEXT, round(width / _TEXT_PER_SHEET))
    parts = [_times(footage.times[chosen], panels.size[1], text), rows[0]]
    for own, row in zip(drawn, rows[1:], strict=True):
        parts += [caption(own.title, own.facts, width, text + 2), row]
    parts.append(_legend(drawn, colours, width, text, whole=bool(footage.inside().all())))
    write_png(file, np.concatenate(parts))


def evenly_spaced(count: int, most: int) -> list[int]:
    """Returns at most `most` numbers below `count`, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def _row(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = ((0, 0), (0, _GAP), (0, 0))
    return np.concatenate([np.pad(own, gap, constant_values=255) for own in tiles], axis=1)


def _times(times: np.ndarray, width: int, size: int) -> np.ndarray:
    return _row([line(f"{time:.2f} s", width, size) for time in times])


def _legend(
    drawn: Sequence[CaptionedMap], colours: str, width: int, size: int, *, whole: bool
) -> np.ndarray:
    """Draws the colour bars and what they mean."""
    seen = "" if whole else "the network saw only the part inside the thin frame"
    meanings = dict.fromkeys((own.signed, own.meaning) for own in drawn)
    bars = [(scale(colours, signed=signed), meaning) for signed, meaning in sorted(meanings)]
    parts = [np.full((_GAP * 2, width, 3), 255, np.uint8)]
    for number, (bar, text) in enumerate(bars):
        told = f"{text}; {seen}" if seen and not number else text
        beside = line(told, width - bar.shape[1] - _GAP, size, centred=False)
        tall = beside.shape[0]
        strip = np.full((tall, width, 3), 255, np.uint8)
        top = (tall - size) // 2
        strip[top : top + size, _GAP : _GAP + bar.shape[1]] = bar
        strip[:, _GAP + bar.shape[1] :] = beside
        parts.append(strip)
    return np.concatenate(parts)
