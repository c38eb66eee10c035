"""Explanations of a video as files: overlays, contact sheets, figures, JSON and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.explain.pyramid_figure import draw_pyramid
from vidjax.explain.pyramid_json import to_json
from vidjax.explain.render import write_heat
from vidjax.explain.report_page import page
from vidjax.names import file_name
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.explaining import Seen

from .files import new_files, write_figure

HEAT = ("mp4", "gif", "png")
TUBE_FILES = tuple(f"tubes.{end}" for end in (*HEAT, "html"))
PYRAMID_FILES = (
    "pyramid.json",
    "pyramid.png",
    "pyramid.html",
    *(f"layers.{end}" for end in HEAT),
)
Named = Mapping[str, Seen]


def write_tubes(output: Path, seen: Named, fps: float, video: Path) -> list[Path]:
    """Writes the tubes of a video; arguments and errors are those of `write_pyramid`."""
    new_files(output, *TUBE_FILES)
    make_folder(output)
    files = _write_heat(output, "tubes", seen, fps, _volumes)
    return [*files, _write_page(output / "tubes.html", seen, fps, video, kernels=False)]


def write_pyramid(output: Path, seen: Named, fps: float, video: Path) -> list[Path]:
    """Writes the pyramids of a video.

    Args:
      output: a folder without such files.
      seen: explanations by their titles.
      fps: frames a second of the clip.
      video: the file they are of.

    Returns:
      The files.

    Raises:
      ValueError: there are such files.
    """
    new_files(output, *PYRAMID_FILES)
    make_folder(output)
    files = []
    for place, (name, own) in zip(_places(seen), seen.items(), strict=True):
        assert own.pyramid
        text, picture = output / f"pyramid{place}.json", output / f"pyramid{place}.png"
        write_text(text, to_json(own.pyramid))
        write_figure(picture, draw_pyramid(own.pyramid, own.frames, name))
        files += [text, picture]
    files += _write_heat(output, "layers", seen, fps, _layers)
    return [*files, _write_page(output / "pyramid.html", seen, fps, video)]


def _places(seen: Named) -> list[str]:
    """What is added to the names of files of which there is one for each explanation."""
    if len(seen) == 1:
        return [""]
    labels = (file_name(own.label) for own in seen.values())
    return [f"-{number}-{label}" for number, label in enumerate(labels, start=1)]


def _volumes(own: Seen) -> dict[str, np.ndarray]:
    return {"": own.tube.volume, **own.stage_volumes}


def _layers(own: Seen) -> dict[str, np.ndarray]:
    assert own.pyramid
    layers = [layer.name for layer in own.pyramid.layers if layer.maps is not None]
    return {"": own.tube.volume, **{name: own.pyramid.tube(name) for name in layers}}


def _write_heat(output: Path, name: str, seen: Named, fps: float, volumes: Any) -> list[Path]:
    """One set of files where all saw the same frames, else one for each."""
    first, *others = seen.values()
    together = all(np.array_equal(first.frames, other.frames) for other in others)
    groups = [seen] if together else [{title: own} for title, own in seen.items()]
    files = []
    for place, group in zip(_places(seen) if len(groups) > 1 else [""], groups, strict=True):
        frames = next(iter(group.values())).frames
        shown = {
            f"{title} {part}".strip(): volume
            for title, own in group.items()
            for part, volume in volumes(own).items()
        }
        files += write_heat(output, f"{name}{place}", frames, shown, fps)
    return files


def _write_page(file: Path, seen: Named, fps: float, video: Path, *, kernels: bool = True) -> Path:
    panels = [own.panel(title, kernels=kernels) for title, own in seen.items()]
    write_text(file, page(video.name, panels, fps))
    return file
