"""A sheet of a video: a row of its frames, a row for each heat over them, and the colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidjax.data.encode import write_png
from vidjax.explain.captioned_map import Drawn
from vidjax.explain.captions import caption, line
from vidjax.explain.colours import scale
from vidjax.explain.panels import Panels
from vidjax.explain.source_video import Footage

COLUMNS = 5
WIDEST = 2400
_GAP = 3
_BAR = 14


def write_sheet(
    file: Path, footage: Footage, drawn: Sequence[Drawn], colours: str, columns: int = COLUMNS
) -> None:
    """Writes a sheet as PNG.

    Args:
      file: to be written.
      footage: the video.
      drawn: heat over the clip that was cut from it.
      colours: one of `vidjax.explain.colours.COLOURS`.
      columns: frames of a row, evenly spaced in time.
    """
    chosen = spread(len(footage.places), columns)
    panels = Panels(footage, drawn, colours, WIDEST / len(chosen) - _GAP)
    tiles = [
        panels.at(frame, footage.places[number])
        for number, frame in enumerate(footage.frames())
        if number in chosen
    ]
    rows = [_row([own[place] for own in tiles]) for place in range(len(drawn) + 1)]
    width = rows[0].shape[1]
    parts = [_times(footage.times[chosen], panels.size[1]), rows[0]]
    for own, row in zip(drawn, rows[1:], strict=True):
        parts += [caption(own.title, own.facts, width), row]
    parts.append(_legend(drawn, colours, width, whole=bool(footage.inside().all())))
    write_png(file, np.concatenate(parts))


def spread(count: int, most: int) -> list[int]:
    """At most so many numbers below `count`, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def _row(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = ((0, 0), (0, _GAP), (0, 0))
    return np.concatenate([np.pad(own, gap, constant_values=255) for own in tiles], axis=1)


def _times(times: np.ndarray, width: int) -> np.ndarray:
    return _row([line(f"{time:.2f} s", width) for time in times])


def _legend(drawn: Sequence[Drawn], colours: str, width: int, *, whole: bool) -> np.ndarray:
    """Bars of colours, and what they mean."""
    seen = "" if whole else "the network saw what is inside of the thin frame"
    bars = []
    if not all(own.signed for own in drawn):
        bars.append((scale(colours, signed=False), "cold to hot, each map scaled by itself"))
    if any(own.signed for own in drawn):
        bars.append((scale(colours, signed=True), "the second class to the first"))
    parts = [np.full((_GAP * 2, width, 3), 255, np.uint8)]
    for number, (bar, text) in enumerate(bars):
        told = f"{text}; {seen}" if seen and not number else text
        beside = line(told, width - bar.shape[1] - _GAP, centred=False)
        tall = beside.shape[0]
        strip = np.full((tall, width, 3), 255, np.uint8)
        top = (tall - _BAR) // 2
        strip[top : top + _BAR, _GAP : _GAP + bar.shape[1]] = bar
        strip[:, _GAP + bar.shape[1] :] = beside
        parts.append(strip)
    return np.concatenate(parts)
