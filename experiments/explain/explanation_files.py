"""Writes explanations of a video: overlays, sheets, figures, volumes, JSON and an HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from vidjax.explain.captioned_map import CaptionedMap
from vidjax.explain.colours import DEFAULT
from vidjax.explain.html_page import Panel, page
from vidjax.explain.render import write_heat
from vidjax.explain.source_video import SourceVideo
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.clip_explanation import Explanation
from vidjax.trained.clip_maps import ClipMaps
from vidjax.trained.map_arrays import write_volumes
from vidjax.untrusted_names import file_name

from .output_files import new_files
from .pyramid_files import ENDS, write_one

HEAT = ("mp4", "gif", "png")
TUBE_FILES = tuple(f"tubes.{end}" for end in (*HEAT, "html"))
MAP_FILES = tuple(f"maps.{end}" for end in (*HEAT, "html", "npz"))
PYRAMID_FILES = (
    *(f"pyramid.{end}" for end in ENDS),
    "pyramid.html",
    *(f"layers.{end}" for end in HEAT),
)
Own = TypeVar("Own", Explanation, ClipMaps)
Pair = tuple[str, str]


@dataclass(frozen=True)
class Part(Generic[Own]):
    """One of several explanations.

    Attributes:
      own: the explanation.
      network: short name of its network; empty if there is only one.
    """

    own: Own
    network: str = ""

    @property
    def title(self) -> str:
        """Network, class and probability."""
        return f"{self.network}: {self.own.title}" if self.network else self.own.title


@dataclass(frozen=True)
class Look:
    """How heat is drawn.

    Attributes:
      colours: one of `vidjax.explain.colours.COLOURS`.
      pair: two classes whose difference is also drawn; None for no difference.
    """

    colours: str = DEFAULT
    pair: Pair | None = None


PLAIN = Look()


def write_tubes(
    output: Path, parts: Sequence[Part[Explanation]], video: Path, look: Look = PLAIN
) -> list[Path]:
    """Writes the Saliency Tubes of a video; arguments and errors as in `write_pyramid`."""
    new_files(output, *TUBE_FILES)
    make_folder(output)
    files = _write_heat(output, "tubes", parts, lambda own: own.tubes, look)
    panels = [part.own.panel(part.title, kernels=False) for part in parts]
    return [*files, _write_page(output / "tubes.html", panels, parts, video)]


def write_maps(
    output: Path, parts: Sequence[Part[ClipMaps]], video: Path, look: Look = PLAIN
) -> list[Path]:
    """Writes maps of a video; arguments and errors as in `write_pyramid`."""
    new_files(output, *MAP_FILES)
    make_folder(output)
    files = _write_heat(output, "maps", parts, lambda own: own.drawn, look)
    panels = [part.own.panel(part.title) for part in parts]
    files.append(_write_page(output / "maps.html", panels, parts, video))
    write_volumes(output / "maps.npz", {part.title: part.own for part in parts})
    return [*files, output / "maps.npz"]


def write_pyramid(
    output: Path,
    parts: Sequence[Part[Explanation]],
    video: Path,
    look: Look = PLAIN,
    figure: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Writes the Class Feature Pyramids of a video.

    Args:
      output: folder, which must not have such files.
      parts: explanations, each for a network and a class.
      video: the video file.
      look: how heat is drawn.
      figure: settings of the pyramid's figure, as in `pyramid_figure.arrange`.

    Returns:
      The files.

    Raises:
      ValueError: such files exist.
    """
    new_files(output, *PYRAMID_FILES)
    make_folder(output)
    files = []
    for place, part in zip(_places(parts), parts, strict=True):
        options = {"colours": look.colours, **(figure or {})}
        files += write_one(output, f"pyramid{place}", part.own, part.title, options)
    files += _write_heat(output, "layers", parts, lambda own: own.layers, look)
    panels = [part.own.panel(part.title) for part in parts]
    return [*files, _write_page(output / "pyramid.html", panels, parts, video)]


def _places(parts: Sequence[Part[Own]]) -> list[str]:
    """Returns the endings of file names if each explanation has a file of its own."""
    if len(parts) == 1:
        return [""]
    labels = (file_name(part.own.label) for part in parts)
    return [f"-{number}-{label}" for number, label in enumerate(labels, start=1)]


def _write_heat(
    output: Path,
    name: str,
    parts: Sequence[Part[Own]],
    drawn: Callable[[Own], list[CaptionedMap]],
    look: Look,
) -> list[Path]:
    """Writes one set of files for all networks that saw the same frames."""
    groups: dict[SourceVideo, list[Part[Own]]] = {}
    for part in parts:
        groups.setdefault(part.own.shown, []).append(part)
    files = []
    for number, (footage, group) in enumerate(groups.items(), start=1):
        place = f"-{number}-{file_name(group[0].network)}" if len(groups) > 1 else ""
        rows = [_titled(part, own) for part in group for own in drawn(part.own)]
        rows += _differences(group, drawn, look.pair) if look.pair else []
        files += write_heat(output, f"{name}{place}", footage, rows, look.colours)
    return files


def _titled(part: Part[Own], drawn: CaptionedMap) -> CaptionedMap:
    if not part.network:
        return drawn
    return replace(drawn, title=f"{part.network}: {drawn.title}")


def _differences(
    parts: Sequence[Part[Own]], drawn: Callable[[Own], list[CaptionedMap]], pair: Pair
) -> list[CaptionedMap]:
    """Subtracts each map of the second class from that of the first, network by network."""
    first, second = ([part for part in parts if part.own.label == label] for label in pair)
    return [
        _titled(one, own.minus(other_own, *pair))
        for one, other in zip(first, second, strict=True)
        for own, other_own in zip(drawn(one.own), drawn(other.own), strict=True)
    ]


def _write_page(
    file: Path, panels: Sequence[Panel], parts: Sequence[Part[Own]], video: Path
) -> Path:
    write_text(file, page(video.name, panels, parts[0].own.fps))
    return file
