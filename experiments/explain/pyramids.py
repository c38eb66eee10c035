"""Class Feature Pyramids of networks, and their settings on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain.class_feature_pyramids import DEPTH, LISTS
from vidjax.explain.pyramid_tiles import DRAWN, FORMATS
from vidjax.progress import ProgressLine
from vidjax.trained.clip_explanation import OpenClip, Seen, see

from . import video
from .explained_network import LAYER, Subject
from .explanation_files import PYRAMID_FILES, write_pyramid
from .output_files import new_files

_BOTH = "pyramid, kernels"
_DEPTH = flags.DEFINE_integer(
    "depth", None, f"{_BOTH}: levels; 1 is what the class relies on; {DEPTH} if not given"
)
_THRESHOLD = flags.DEFINE_float(
    "threshold",
    None,
    f"{_BOTH}: theta, in [0, 1]; the network's own (thesis, table 7.1), else 0.6",
)
_TOP = flags.DEFINE_integer("top", None, f"{_BOTH}: at most so many kernels from each list")
_LISTS = flags.DEFINE_enum(
    "lists", "layer", LISTS, f"{_BOTH}: one list for a layer, or for each kernel"
)
_KERNELS = flags.DEFINE_list(
    "kernels", [], f"{_BOTH}: numbers of kernels of --layer; only what leads to them is shown"
)
_FORMAT = flags.DEFINE_enum(
    "format", "kernel", FORMATS, f"{_BOTH}: what a picture is of, a kernel, a group or a layer"
)
_DRAW = flags.DEFINE_enum(
    "draw", "own", DRAWN, f"{_BOTH}: a kernel's own activation, or the mean of its children's"
)
FLAGS = {"depth", "threshold", "top", "lists", "layer", "kernels", "format", "draw"}


def explain_pyramid(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Which kernels of the networks speak for the classes."""
    new_files(output, *PYRAMID_FILES)
    tube, pyramid, figure = video.tube_settings(), pyramid_settings(), figure_settings()

    def explain(opened: OpenClip, label: str | None) -> Seen:
        return see(opened, label, tube=tube, pyramid=pyramid, degree=video.degree())

    parts, file = video.see_all(subjects, explain, progress)
    return write_pyramid(output, parts, file, video.look(), figure)


def pyramid_settings() -> dict[str, Any]:
    """Settings of `class_feature_pyramid` that the command line names.

    Raises:
      ValueError: one has no effect, or a kernel is no number.
    """
    return {
        "depth": _DEPTH.value,
        "threshold": _THRESHOLD.value,
        "top": _TOP.value,
        "mode": _LISTS.value,
        "down_to": _end(),
    }


def figure_settings() -> dict[str, Any]:
    """Settings of the figure that the command line names.

    Raises:
      ValueError: one has no effect.
    """
    if _DRAW.value != "own" and _FORMAT.value != "kernel":
        what = f"--draw={_DRAW.value} has no effect with --format={_FORMAT.value}"
        raise ValueError(f"{what}: kernels have children")
    return {"format": _FORMAT.value, "draw": _DRAW.value, "degree": video.degree()}


def _end() -> str | tuple[str, list[int]] | None:
    if LAYER.value and _DEPTH.value is not None:
        raise ValueError("--depth has no effect beside --layer, at which the pyramid ends")
    if not _KERNELS.value:
        return LAYER.value
    if not LAYER.value:
        raise ValueError("--kernels is for --layer: say which layer's they are")
    for number in _KERNELS.value:
        if not number.isdecimal():
            raise ValueError(f"--kernels={number}: whole numbers are due, such as 3,17")
    return LAYER.value, [int(number) for number in _KERNELS.value]
