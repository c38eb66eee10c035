"""Writes a Class Feature Pyramid as JSON, as a figure and as an animated figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vidjax.data.encode import write_gif, write_mp4
from vidjax.explain.captioned_map import resolution
from vidjax.explain.contact_sheet import evenly_spaced
from vidjax.explain.pyramid_animation import play_pyramid
from vidjax.explain.pyramid_figure import DPI, draw_pyramid
from vidjax.explain.pyramid_json import to_json
from vidjax.explain.render import LONGEST_GIF, WIDEST_GIF
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_text
from vidjax.trained.clip_explanation import Explanation

from .output_files import write_figure

ENDS = ("json", "png", "mp4", "gif")


def write_one(
    output: Path, name: str, seen: Explanation, title: str, options: Mapping[str, Any]
) -> list[Path]:
    """Writes `NAME.json`, `NAME.png`, and the animations `NAME.mp4` and `NAME.gif`.

    Args:
      output: existing folder.
      name: name of the files.
      seen: an explanation with a pyramid.
      title: title, such as the class and its probability.
      options: settings of the figure, as in `pyramid_figure.arrange`.

    Returns:
      The files.
    """
    assert seen.pyramid
    files = [output / f"{name}.{end}" for end in ENDS]
    given = (seen.pyramid, seen.frames, title, seen.tube.volume)
    said = {"facts": list(facts_of(seen)), "tube_name": _tube_name(seen), **options}
    write_text(files[0], to_json(seen.pyramid))
    write_figure(files[1], draw_pyramid(*given, **said), dpi=DPI)
    played = play_pyramid(*given, **said)
    write_mp4(files[2], played, seen.fps)
    numbers = evenly_spaced(len(played), LONGEST_GIF)
    small = np.stack([_reduced(played[number]) for number in numbers])
    write_gif(files[3], small, seen.fps * len(small) / len(played))
    return files


def facts_of(seen: Explanation) -> Iterator[str]:
    """Yields the facts about the network in a figure."""
    known = seen.opened.facts if seen.opened else {}
    if "network" in known:
        yield known["network"]
    if "weights" in known:
        yield as_path(known["weights"]).name
    if "checkpoint" in known:
        yield known["checkpoint"]


def _tube_name(seen: Explanation) -> str:
    form = "Saliency Tube" if seen.tube.mode == "thesis" else "plain sum (CAM)"
    tau = "" if seen.tau is None else f", tau {seen.tau:g}"
    return f"{form}{tau}\n{resolution(seen.tube.low)}"


def _reduced(board: np.ndarray) -> np.ndarray:
    height, width = board.shape[:2]
    factor = min(1.0, WIDEST_GIF / width)
    size = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(board, size, interpolation=cv2.INTER_AREA))
