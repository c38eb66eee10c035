"""Draws maps of the registry over one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidjax.explain import maps
from vidjax.explain.map_selection import read_map
from vidjax.explain.traced_network import trace_network
from vidjax.progress import ProgressLine
from vidjax.trained.clip_explanation import TAU, OpenClip
from vidjax.trained.clip_maps import ClipMaps, map_clip

from . import video
from .explained_network import LAYER, MAPS, Subject
from .explanation_files import MAP_FILES, write_maps
from .output_files import new_files
from .remaining_time import passes_shown

ALL = "all"
USUAL = ("saliency_tube", "grad_cam")


def explain_maps(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Draws the maps of each class."""
    chosen = _chosen(MAPS.value)
    names = list(chosen)
    _refuse_layer(names)
    new_files(output, *MAP_FILES)
    settings = {name: _with_tau(name, given) for name, given in chosen.items()}

    def see(opened: OpenClip, label: str | None) -> ClipMaps:
        return map_clip(
            opened,
            label,
            _fitting(opened, names, progress),
            LAYER.value,
            settings=settings,
            degree=video.degree(),
            progress=passes_shown(progress),
        )

    parts, file = video.see_all(subjects, see, progress)
    return write_maps(output, parts, file, video.look())


def _with_tau(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Adds the default tau to a map's settings if it has a tau and is not a plain CAM."""
    has = "tau" in maps.named(name).kinds and given.get("mode") != "cam"
    return {"tau": TAU, **given} if has else given


def _refuse_layer(names: Sequence[str]) -> None:
    """Refuses --layer if none of the maps uses it.

    Raises:
      ValueError: none of the maps has a layer.
    """
    if LAYER.value is not None and not any(maps.named(name).layered for name in names):
        raise ValueError(
            f"--layer={LAYER.value} has no effect on {', '.join(names)}, which use no layer"
        )


def _chosen(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the settings of the maps to draw, by name.

    Raises:
      ValueError: there is no such map or setting, or a map is named twice.
    """
    texts = list(maps.known()) if list(given) == [ALL] else list(given or USUAL)
    found: dict[str, dict[str, Any]] = {}
    for own in map(read_map, texts):
        if own.is_baseline:
            raise ValueError(
                f"--maps={own.name}: {own.name} is a baseline for --method=faithfulness, not a map"
            )
        if own.name in found:
            raise ValueError(f"--maps has {own.name} twice; draw one of them in another command")
        found[own.name] = dict(own.settings)
    return found


def _fitting(opened: OpenClip, names: Sequence[str], progress: ProgressLine) -> list[str]:
    """Returns the maps of `all` that fit a network, or every map that is named."""
    if list(MAPS.value) != [ALL]:
        return list(names)
    trained = opened.trained
    network = trace_network(trained.model, trained.variables, opened.clip)
    lacking = [name for name in names if not maps.named(name).fits(network)]
    for name in lacking:
        progress.note(f"left out {name}, which needs {maps.named(name).needs}")
    return [name for name in names if name not in lacking]
