"""Kernels of several networks in several videos, in one picture: three frames a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain import amplified_channels
from vidjax.explain.class_feature_pyramids import class_feature_pyramid
from vidjax.explain.kernel_strips import FOOT, kernel_cell, shown_kernels
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.pyramid_figure import DPI
from vidjax.explain.strip_figure import Cell, draw_strips
from vidjax.explain.tables import what_differs, write_rows
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder
from vidjax.trained.clip_explanation import OpenClip, open_clip, with_theta

from . import video
from .explained_network import Subject
from .output_files import new_files, write_figure
from .pyramids import figure_settings, pyramid_settings

_EACH = flags.DEFINE_integer(
    "each", None, "kernels, amplified: so many of a level or place; 3, or 1 in a grid", 1, 64
)


@dataclass(frozen=True)
class KernelRow:
    """Kernels of one layer that a picture shows.

    Attributes:
      network: as the picture names it.
      video: likewise.
      label: of the class.
      probability: that the network gives it.
      theta: threshold of the pyramid.
      level: of the layer.
      layer: its name, or the names of those that are one sum.
      kernels: that one strip stands for.
      weight: the largest that is given to one of them.
      connections: that lead to them.
    """

    network: str
    video: str
    label: str
    probability: float
    theta: float
    level: int
    layer: str
    kernels: str
    weight: float
    connections: int


@dataclass(frozen=True)
class _Seen:
    """A network in a cell of the grid: the clip, and the class that is asked for."""

    network: str
    file: Path
    label: str | None
    opened: OpenClip


def explain_kernels(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """The strongest kernels of each level, networks by videos or classes."""
    picture, table = new_files(output, "kernels.png", "kernels.csv")
    settings, figure = pyramid_settings(), figure_settings()
    rows: list[KernelRow] = []
    cells: list[list[Cell]] = []
    grid = list(_grid(subjects, progress))
    for own in grid:
        cells.append([])
        for seen in own:
            opened, trained = seen.opened, seen.opened.trained
            index = opened.index_of(seen.label)
            given = with_theta(settings, trained.name)
            pyramid = class_feature_pyramid(
                trained.model, trained.variables, opened.clip, index, **given
            )
            assert pyramid.logits is not None
            chance = float(opened.chances(pyramid.logits)[pyramid.class_index])
            label = trained.labels[pyramid.class_index]
            each = _each(grid)
            rows += _rows(seen, pyramid, label, chance, figure["format"], each)
            title = f"{label} ({chance:.1%})"
            cells[-1].append(kernel_cell(pyramid, opened.frames, title, each=each, **figure))
    progress.show("writing", final=True)
    names = [_row_name(own[0], f"θ = {_theta(own[0], settings):g}") for own in grid]
    make_folder(output)
    _draw(picture, cells, names, grid, FOOT[figure["format"]])
    write_rows(table, KernelRow, rows)
    return [picture, table]


def explain_amplified(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """The channels that Class Regularization amplifies most at each of its places."""
    (picture,) = new_files(output, "amplified.png")
    grid = list(_grid(subjects, progress))
    cells = []
    for own in grid:
        cells.append([_amplified(seen, _each(grid)) for seen in own])
    progress.show("writing", final=True)
    make_folder(output)
    _draw(picture, cells, [_row_name(own[0]) for own in grid], grid, amplified_channels.FOOT)
    return [picture]


def _amplified(seen: _Seen, each: int) -> Cell:
    opened, trained = seen.opened, seen.opened.trained
    index = opened.index_of(seen.label)
    try:
        found = amplified_channels.amplified(trained.model, trained.variables, opened.clip, index)
    except ValueError as error:
        raise ValueError(f"{seen.network}: {error}") from None
    title = seen.label or "the class that each place chooses"
    return amplified_channels.amplified_cell(
        found, opened.frames, title, trained.labels, each, video.degree()
    )


def _grid(subjects: Sequence[Subject], progress: ProgressLine) -> Iterator[list[_Seen]]:
    """A row for each network: a cell for each video and class."""
    files = [as_path(name) for name in (video.VIDEO.value or "").split(",") if name]
    if not files:
        raise ValueError("--video is missing: a video, or several with commas")
    names = what_differs([subject.name for subject in subjects])
    for subject, name in zip(subjects, names, strict=True):
        progress.show(f"explaining {name}")
        opened = [(file, open_clip(subject.trained, file)) for file in files]
        yield [
            _Seen(name, file, label, clip)
            for file, clip in opened
            for label in video.CLASSES.value or [None]
        ]


def _theta(seen: _Seen, settings: Mapping[str, Any]) -> float:
    theta: float = with_theta(settings, seen.opened.trained.name)["threshold"]
    return theta


def _each(grid: Sequence[Sequence[_Seen]]) -> int:
    if _EACH.value is not None:
        return int(_EACH.value)
    return 3 if len(grid[0]) == 1 else 1


def _row_name(seen: _Seen, *more: str) -> str:
    """The network, and below it what the command line calls it, more, and its checkpoint."""
    facts = seen.opened.facts
    name = facts["network"]
    called = "" if seen.network == name else seen.network
    return "\n".join(filter(None, (name, called, *more, facts.get("checkpoint", ""))))


def _draw(
    file: Path, cells: list[list[Cell]], names: list[str], grid: list[list[_Seen]], foot: str
) -> None:
    columns = [seen.file.name for seen in grid[0]]
    write_figure(file, draw_strips(cells, names, columns, foot, video.look().colours), dpi=DPI)


def _rows(
    seen: _Seen, pyramid: Pyramid, label: str, chance: float, format: str, each: int
) -> Iterator[KernelRow]:
    for level, tile in shown_kernels(pyramid, format, each):
        yield KernelRow(
            seen.network,
            seen.file.name,
            label,
            chance,
            pyramid.threshold,
            level,
            " + ".join(tile.layers),
            " ".join(map(str, tile.kernels)),
            tile.weight,
            tile.count,
        )
