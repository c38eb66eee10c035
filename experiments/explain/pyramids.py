"""Draws Class Feature Pyramids, and defines their flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain.class_feature_pyramids import DEPTH, LISTS
from vidjax.explain.pyramid_tiles import DRAWN, FORMATS
from vidjax.progress import ProgressLine
from vidjax.trained.clip_explanation import Explanation, OpenClip, explain_clip

from .. import help_text
from . import video
from .explained_network import LAYER, Subject
from .explanation_files import PYRAMID_FILES, write_pyramid
from .output_files import new_files

_DEPTH = flags.DEFINE_integer(
    "depth",
    None,
    f"Number of levels; 1 shows only the kernels that the class relies on. Default: {DEPTH}.",
)
_THRESHOLD = flags.DEFINE_float(
    "threshold",
    None,
    "THETA: Threshold theta, in [0, 1]. By default the network's value in table 7.1 of the thesis, "
    "or 0.6.",
)
_TOP = flags.DEFINE_integer("top", None, "Largest number of kernels from each list.")
_LISTS = flags.DEFINE_enum(
    "lists", "layer", LISTS, "Whether kernels are ranked in one list per layer, or one per kernel."
)
_KERNELS = flags.DEFINE_list(
    "kernels",
    [],
    "N,...: Kernels of --layer; only paths that lead to them are shown. Take their numbers from "
    "your own pyramid.png, as only kept kernels have paths.",
)
_FORMAT = flags.DEFINE_enum(
    "format", "kernel", FORMATS, "Each picture shows a kernel, a group of kernels or a layer."
)
_DRAW = flags.DEFINE_enum(
    "draw", "own", DRAWN, "Whether a kernel is drawn by its own activation or its children's mean."
)
help_text.group(
    "Pyramids (pyramid, kernels)",
    *(_DEPTH, _THRESHOLD, _TOP, _LISTS, _KERNELS, _FORMAT, _DRAW),
)
FLAGS = {"depth", "threshold", "top", "lists", "layer", "kernels", "format", "draw"}


def explain_pyramid(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Draws which kernels of the networks speak for the classes."""
    new_files(output, *PYRAMID_FILES)
    tube, pyramid, figure = video.tube_settings(), pyramid_settings(), figure_settings()

    def explain(opened: OpenClip, label: str | None) -> Explanation:
        return explain_clip(opened, label, tube=tube, pyramid=pyramid, degree=video.degree())

    parts, file = video.see_all(subjects, explain, progress)
    return write_pyramid(output, parts, file, video.look(), figure)


def pyramid_settings() -> dict[str, Any]:
    """Returns the settings of `class_feature_pyramid` from the flags.

    Raises:
      ValueError: a flag has no effect, or a kernel is not a number.
    """
    return {
        "depth": _DEPTH.value,
        "threshold": _THRESHOLD.value,
        "top": _TOP.value,
        "mode": _LISTS.value,
        "down_to": _end(),
    }


def figure_settings() -> dict[str, Any]:
    """Returns the settings of the figure from the flags.

    Raises:
      ValueError: a flag has no effect.
    """
    if _DRAW.value != "own" and _FORMAT.value != "kernel":
        what = f"--draw={_DRAW.value} has no effect with --format={_FORMAT.value}"
        raise ValueError(f"{what}: only kernels have children")
    return {"format": _FORMAT.value, "draw": _DRAW.value, "degree": video.degree()}


def _end() -> str | tuple[str, list[int]] | None:
    if LAYER.value and _DEPTH.value is not None:
        raise ValueError("--depth has no effect with --layer, at which the pyramid ends")
    if not _KERNELS.value:
        return LAYER.value
    if not LAYER.value:
        raise ValueError("--kernels needs --layer, the layer of these kernels")
    for number in _KERNELS.value:
        if not number.isdecimal():
            raise ValueError(f"--kernels={number}: must be whole numbers, such as 3,17")
    return LAYER.value, [int(number) for number in _KERNELS.value]
