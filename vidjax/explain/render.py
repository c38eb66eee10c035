"""Pictures of where a network looks: heat over a video's own frames, with captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vidjax.data.encode import write_gif, write_mp4
from vidjax.explain.captioned_map import Drawn
from vidjax.explain.captions import caption
from vidjax.explain.colours import DEFAULT, heat, overlay
from vidjax.explain.contact_sheet import spread, write_sheet
from vidjax.explain.panels import Panels
from vidjax.explain.source_video import Footage

__all__ = ["heat", "in_rows", "overlay", "write_heat"]

COLUMNS = 4
# No wider than what players take.
WIDEST = 3840
# An animation is there to be sent.
WIDEST_GIF = 960
LONGEST_GIF = 24


def write_heat(
    folder: Path, name: str, footage: Footage, drawn: Sequence[Drawn], colours: str = DEFAULT
) -> list[Path]:
    """Writes `NAME.mp4` and `NAME.gif`, the video with each heat beside it, and `NAME.png`.

    The video has all frames of the footage; the animation at most `LONGEST_GIF`, and no more than
    `WIDEST_GIF` pixels of width. The picture is a sheet: a row of frames, and a row for each heat.

    Args:
      folder: that exists.
      name: of the files.
      footage: the video that the clip was cut from.
      drawn: heat over the clip.
      colours: one of `vidjax.explain.colours.COLOURS`.

    Returns:
      The files.
    """
    files = [folder / f"{name}.{end}" for end in ("mp4", "gif", "png")]
    small: list[np.ndarray] = []
    numbers = spread(len(footage.places), LONGEST_GIF)
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


def _boards(footage: Footage, drawn: Sequence[Drawn], colours: str) -> Iterator[np.ndarray]:
    """The video and its heats side by side, with captions: uint8 `[H', W', 3]`, one by one."""
    columns = min(COLUMNS, len(drawn) + 1)
    panels = Panels(footage, drawn, colours, WIDEST / columns)
    texts = [("video", ()), *((own.title, own.facts) for own in drawn)]
    captions = _level([caption(*text, panels.size[1]) for text in texts])
    for frame, place in zip(footage.frames(), footage.places, strict=True):
        own = panels.at(frame, place)
        yield in_rows([np.concatenate(pair) for pair in zip(captions, own, strict=True)], columns)


def in_rows(tiles: Sequence[np.ndarray], columns: int = COLUMNS) -> np.ndarray:
    """Pictures of one size in rows of so many, uint8 `[H, W, 3]`, white where there is none."""
    columns = min(columns, len(tiles))
    tiles = [*tiles, *[np.full_like(tiles[0], 255)] * (-len(tiles) % columns)]
    rows = (tiles[start : start + columns] for start in range(0, len(tiles), columns))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _level(captions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Captions as high as the highest."""
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
