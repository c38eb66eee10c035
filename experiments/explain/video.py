"""What networks see in one video: Saliency Tubes and Class Feature Pyramids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain.rows import what_differs
from vidjax.explain.saliency_tubes import MODES
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.trained.explaining import OpenClip, Seen, open_clip, see

from .files import new_files
from .pictures import PYRAMID_FILES, TUBE_FILES, write_pyramid, write_tubes
from .settings import Subject

_VIDEO = flags.DEFINE_string("video", None, "tubes, pyramid: a video file")
_CLASSES = flags.DEFINE_list("classes", [], "tubes, pyramid: which; none is the predicted one")
_TUBE = flags.DEFINE_enum("tube", "thesis", MODES, "tubes: the thesis' form, or plain CAM")
_TAU = flags.DEFINE_float("tau", None, "tubes: leave out channels below this share of the largest")
_DEPTH = flags.DEFINE_integer("depth", 3, "pyramid: levels; 1 is what the class relies on")
_THRESHOLD = flags.DEFINE_float(
    "threshold", None, "pyramid: theta, in [0, 1]; the network's own (table 7.1), else 0.6"
)
_TOP = flags.DEFINE_integer("top", None, "pyramid: at most so many kernels from each list")
_LISTS = flags.DEFINE_enum(
    "lists", "layer", ["layer", "feature"], "pyramid: one list for a layer, or for each kernel"
)


def explain_tubes(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Where the networks look for the classes."""
    new_files(output, *TUBE_FILES)
    return write_tubes(output, *_see(subjects, None, progress))


def explain_pyramid(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Which kernels of the networks speak for the classes."""
    new_files(output, *PYRAMID_FILES)
    settings = {
        "depth": _DEPTH.value,
        "threshold": _THRESHOLD.value,
        "top": _TOP.value,
        "mode": _LISTS.value,
    }
    return write_pyramid(output, *_see(subjects, settings, progress))


def _see(
    subjects: Sequence[Subject],
    pyramid: Mapping[str, Any] | None,
    progress: ProgressLine,
) -> tuple[dict[str, Seen], float, Path]:
    """Explanations by what tells them apart, frames a second, and the video."""
    if not _VIDEO.value:
        raise ValueError("--video is missing: tubes and pyramids are of one video")
    video = as_path(_VIDEO.value)
    seen: dict[str, Seen] = {}
    names = what_differs([subject.name for subject in subjects])
    for subject, short in zip(subjects, names, strict=True):
        opened = open_clip(subject.trained, video)
        for label in _CLASSES.value or [None]:
            progress.show(f"explaining {short} {label or ''}".strip())
            own = _see_class(opened, label, pyramid)
            if own.note:
                progress.note(f"{short}: {own.note}")
            seen[f"{short}: {own.title}" if len(subjects) > 1 else own.title] = own
    progress.show("writing", final=True)
    return seen, opened.fps, video


def _see_class(opened: OpenClip, label: str | None, pyramid: Mapping[str, Any] | None) -> Seen:
    tube = {"mode": _TUBE.value, "tau": _TAU.value}
    return see(opened, label, tube=tube, pyramid=None if pyramid is None else dict(pyramid))
