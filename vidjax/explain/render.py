"""Writes videos, animations and pictures of maps over a video, with captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vidjax.data.encode import write_gif, write_mp4
from vidjax.explain.captioned_map import CaptionedMap
from vidjax.explain.captions import caption
from vidjax.explain.colours import DEFAULT, heat, overlay
from vidjax.explain.contact_sheet import evenly_spaced, write_sheet
from vidjax.explain.panels import Panels
from vidjax.explain.source_video import SourceVideo

__all__ = ["heat", "in_rows", "overlay", "write_heat"]

COLUMNS = 4
# The widest video that common players accept.
WIDEST = 3840
# Animations must be small enough to send.
WIDEST_GIF = 960
LONGEST_GIF = 24


def write_heat(
    folder: Path,
    name: str,
    footage: SourceVideo,
    drawn: Sequence[CaptionedMap],
    colours: str = DEFAULT,
) -> list[Path]:
    """Writes `NAME.mp4` and `NAME.gif`, the video with each map beside it, and `NAME.png`.

    The video has all frames between the clip's first and last. The animation has at most
    `LONGEST_GIF` frames and is at most `WIDEST_GIF` pixels wide. The picture is a contact sheet:
    one row of frames, and one row per map.

    Args:
      folder: an existing folder.
      name: name of the files.
      footage: the video that the clip was cut from.
      drawn: maps of the clip.
      colours: one of `vidjax.explain.colours.COLOURS`.

    Returns:
      The files.
    """
    files = [folder / f"{name}.{end}" for end in ("mp4", "gif", "png")]
    small: list[np.ndarray] = []
    numbers = evenly_spaced(len(footage.places), LONGEST_GIF)
    boards = enumerate(_boards(footage, drawn, colours))

    def watched() -> Iterator[np.ndarray]:
        for number, board in boards:
            if number in numbers:
                small.append(_reduced(board))
            yield board

    write_mp4(files[0], watched(), footage.fps)
    write_gif(files[1], np.stack(small), footage.fps * len(small) / len(footage.places))
    write_sheet(files[2], footage, drawn, colours)
    return files


def _boards(
    footage: SourceVideo, drawn: Sequence[CaptionedMap], colours: str
) -> Iterator[np.ndarray]:
    """Yields the video and its maps side by side, with captions: uint8 `[H', W', 3]` per frame."""
    columns = min(COLUMNS, len(drawn) + 1)
    panels = Panels(footage, drawn, colours, WIDEST / columns)
    texts = [("video", ()), *((own.title, own.facts) for own in drawn)]
    captions = _level([caption(*text, panels.size[1]) for text in texts])
    for frame, place in zip(footage.frames(), footage.places, strict=True):
        own = panels.at(frame, place)
        yield in_rows([np.concatenate(pair) for pair in zip(captions, own, strict=True)], columns)


def in_rows(tiles: Sequence[np.ndarray], columns: int = COLUMNS) -> np.ndarray:
    """Arranges pictures of equal size in rows, uint8 `[H, W, 3]`; empty positions are white."""
    columns = min(columns, len(tiles))
    tiles = [*tiles, *[np.full_like(tiles[0], 255)] * (-len(tiles) % columns)]
    rows = (tiles[start : start + columns] for start in range(0, len(tiles), columns))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _level(captions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pads captions to the height of the tallest."""
    height = max(map(len, captions))
    return [
        np.pad(own, ((0, height - len(own)), (0, 0), (0, 0)), constant_values=255)
        for own in captions
    ]


def _reduced(board: np.ndarray) -> np.ndarray:
    height, width = board.shape[:2]
    if width <= WIDEST_GIF:
        return board
    size = (WIDEST_GIF, round(height * WIDEST_GIF / width))
    return np.asarray(cv2.resize(board, size, interpolation=cv2.INTER_AREA))
