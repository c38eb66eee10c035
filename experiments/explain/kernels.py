"""Draws kernels of several networks and videos in one picture, three frames per kernel."""

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
from vidjax.explain.tables import distinct_parts, write_table
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder
from vidjax.trained.clip_explanation import OpenClip, open_clip, with_theta

from . import video
from .explained_network import Subject
from .output_files import new_files, write_figure
from .pyramids import figure_settings, pyramid_settings

_PER_LEVEL = flags.DEFINE_integer(
    "per_level",
    None,
    "For kernels and amplified: number shown per level or place. By default 3, or 1 if there are "
    "several columns.",
    1,
    64,
)


@dataclass(frozen=True)
class KernelRow:
    """Kernels of one layer that a picture shows.

    Attributes:
      network: name of the network in the picture.
      video: name of the video in the picture.
      label: name of the class.
      probability: probability of the class.
      theta: threshold of the pyramid.
      level: level of the layer.
      layer: name of the layer, or of the layers that are summed.
      kernels: numbers of the kernels that one strip shows.
      weight: largest weight of these kernels.
      connections: number of connections that lead to them.
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
    """A cell of the grid: a network with a clip, and the class to explain."""

    network: str
    file: Path
    label: str | None
    opened: OpenClip


def explain_kernels(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Draws the strongest kernels of each level: networks by videos and classes."""
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
            video.note_class(progress, f"{seen.network}, {seen.file.name}", label, chance)
            each = _each(grid)
            rows += _rows(seen, pyramid, label, chance, figure["format"], each)
            title = f"{label} ({chance:.1%})"
            cells[-1].append(kernel_cell(pyramid, opened.frames, title, each=each, **figure))
    progress.show("writing", final=True)
    names = [_row_name(own[0], f"θ = {_theta(own[0], settings):g}") for own in grid]
    make_folder(output)
    _draw(picture, cells, names, grid, FOOT[figure["format"]])
    write_table(table, KernelRow, rows)
    return [picture, table]


def explain_amplified(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Draws the channels that Class Regularization amplifies most at each of its places."""
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
    title = seen.label or "the class that each place predicts"
    return amplified_channels.amplified_cell(
        found, opened.frames, title, trained.labels, each, video.degree()
    )


def _grid(subjects: Sequence[Subject], progress: ProgressLine) -> Iterator[list[_Seen]]:
    """Yields one row per network, with one cell per video and class."""
    files = [as_path(name) for name in (video.VIDEO.value or "").split(",") if name]
    if not files:
        raise ValueError("--video is missing: name a video, or several separated by commas")
    names = distinct_parts([subject.name for subject in subjects])
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
    if _PER_LEVEL.value is not None:
        return int(_PER_LEVEL.value)
    return 3 if len(grid[0]) == 1 else 1


def _row_name(seen: _Seen, *more: str) -> str:
    """Returns the network's name, its name on the command line, more facts and its checkpoint."""
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
