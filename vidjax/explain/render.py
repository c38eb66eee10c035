"""Pictures of where a network looks: heat over frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from vidjax.data.encode import write_gif, write_mp4, write_png
from vidjax.data.marionette.contact_sheet import contact_sheet
from vidjax.names import short

COLUMNS = 8
LEAST = 112
TITLE = 16


def heat(volume: np.ndarray) -> np.ndarray:
    """Numbers `[T, H, W]` in [0, 1] as colours, uint8 `[T, H, W, 3]`, blue to red."""
    levels = (255 * np.clip(volume, 0, 1)).round().astype(np.uint8)
    colours = [cv2.applyColorMap(frame, cv2.COLORMAP_JET) for frame in levels]
    return np.stack(colours)[..., ::-1]


def overlay(frames: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Half heat, half frames (the published scripts' rendering).

    Args:
      frames: uint8 `[T, H, W, 3]`.
      volume: `[T, H, W]` in [0, 1].

    Raises:
      ValueError: they differ in size.
    """
    if frames.shape[:3] != volume.shape:
        raise ValueError(f"frames {frames.shape[:3]} and heat {volume.shape} differ in size")
    return heat(volume) // 2 + frames // 2


def magnify(frames: np.ndarray) -> np.ndarray:
    """Small frames enlarged by a whole number, so that they can be looked at."""
    factor = -(-LEAST // min(frames.shape[1:3]))
    return frames.repeat(factor, axis=1).repeat(factor, axis=2)


def write_heat(
    folder: Path, name: str, frames: np.ndarray, volumes: Mapping[str, np.ndarray], fps: float
) -> list[Path]:
    """Writes `NAME.mp4` and `NAME.gif`, the frames with each heat beside them, and `NAME.png`.

    The picture is a contact sheet: a row of frames, and a row for each heat.

    Args:
      folder: that exists.
      name: of the files.
      frames: uint8 `[T, H, W, 3]`.
      volumes: heat by its label, each `[T, H, W]` in [0, 1].
      fps: of the frames.

    Returns:
      The files.
    """
    rows = {"clip": frames, **{label: overlay(frames, own) for label, own in volumes.items()}}
    large = {label: magnify(own) for label, own in rows.items()}
    files = [folder / f"{name}.{end}" for end in ("mp4", "gif", "png")]
    board = side_by_side(large)
    write_mp4(files[0], board, fps)
    write_gif(files[1], board, fps)
    columns = min(COLUMNS, len(frames))
    write_png(files[2], contact_sheet(list(large.values()), list(large), columns))
    return files


def side_by_side(videos: Mapping[str, np.ndarray], columns: int = 4) -> np.ndarray:
    """Videos of one size with their labels above, in rows of so many: uint8 `[T, H', W', 3]`."""
    titled = [_titled(label, own) for label, own in videos.items()]
    columns = min(columns, len(titled))
    blank = np.full_like(titled[0], 255)
    titled += [blank] * (-len(titled) % columns)
    rows = [
        np.concatenate(titled[start : start + columns], axis=2)
        for start in range(0, len(titled), columns)
    ]
    return np.concatenate(rows, axis=1)


def _titled(label: str, frames: np.ndarray) -> np.ndarray:
    bar, label = np.full((TITLE, frames.shape[2], 3), 255, np.uint8), short(label)
    scale = min(0.38, 0.38 * frames.shape[2] / (6.6 * max(len(label), 1)))
    cv2.putText(bar, label, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, scale, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([np.broadcast_to(bar, (len(frames), *bar.shape)), frames], axis=1)
