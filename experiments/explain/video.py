"""Draws Saliency Tubes over one video, and defines the flags of methods for one video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain.colours import COLOURS, DEFAULT
from vidjax.explain.saliency_tubes import MODES
from vidjax.explain.tables import distinct_parts
from vidjax.explain.upsampling import CUBIC
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.trained.clip_explanation import TAU, Explanation, OpenClip, explain_clip, open_clip

from .. import help_text
from .explained_network import Subject
from .explanation_files import TUBE_FILES, Look, Own, Part, write_tubes
from .output_files import new_files

VIDEO = flags.DEFINE_string(
    "video",
    None,
    "FILE: Video file. For kernels and amplified, several may be separated by commas.",
)
CLASSES = flags.DEFINE_list(
    "classes", [], "CLASS,...: Classes to explain. By default the predicted one."
)
_DIFFERENCE = flags.DEFINE_list(
    "difference",
    [],
    "CLASS,CLASS: For tubes and maps: two classes, whose difference is also drawn.",
)
_COLOURS = flags.DEFINE_enum(
    "colours",
    DEFAULT,
    COLOURS,
    "Colours of the heat. With jet it is as published: half heat and half video.",
)
_SPLINE = flags.DEFINE_enum(
    "spline",
    "cubic",
    ["cubic", "paper"],
    "Spline that enlarges maps. The paper's has the degree frames / cells, but at most 5.",
)
_TUBE = flags.DEFINE_enum("tube", "thesis", MODES, "Saliency Tubes as in the thesis, or plain CAM.")
_TAU = flags.DEFINE_string(
    "tau",
    None,
    "TAU: Leaves out channels whose weight is below this share of the largest one; `none` keeps "
    f"all. By default {TAU:g}, and none with --tube=cam.",
)
help_text.group("One video", VIDEO, CLASSES, _COLOURS, _SPLINE)
help_text.group("Tubes", _TUBE, _TAU, _DIFFERENCE)


def explain_tubes(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Draws where the networks look for the classes."""
    new_files(output, *TUBE_FILES)
    tube = tube_settings()

    def explain(opened: OpenClip, label: str | None) -> Explanation:
        return explain_clip(opened, label, tube=tube, degree=degree())

    return write_tubes(output, *see_all(subjects, explain, progress), look())


def see_all(
    subjects: Sequence[Subject],
    explain: Callable[[OpenClip, str | None], Own],
    progress: ProgressLine,
) -> tuple[list[Part[Own]], Path]:
    """Explains each network and class.

    Args:
      subjects: the networks.
      explain: takes a network with a clip, and a class; None is the predicted class.
      progress: shows how far it is.

    Returns:
      The explanations, and the video.

    Raises:
      ValueError: the video or a class is missing, or the method does not fit the network.
    """
    if not VIDEO.value:
        raise ValueError("--video is missing: tubes, maps and pyramids need a video")
    video, classes = as_path(VIDEO.value), _classes()
    parts: list[Part[Own]] = []
    names = distinct_parts([subject.name for subject in subjects])
    for subject, short in zip(subjects, names, strict=True):
        opened = open_clip(subject.trained, video)
        for label in classes:
            progress.show(f"explaining {short} {label or ''}".strip())
            own = explain(opened, label)
            note_class(progress, short, own.label, own.probability)
            if own.note:
                progress.note(f"{short}: {own.note}")
            parts.append(Part(own, short if len(subjects) > 1 else ""))
    progress.show("writing", final=True)
    return parts, video


def note_class(progress: ProgressLine, name: str, label: str, probability: float) -> None:
    """Prints a class that is explained, with its probability; `name` names what saw the clip."""
    progress.note(f"{name}: {label} {probability:.1%} in the middle clip")


def look() -> Look:
    """Returns how heat is drawn, from the flags."""
    pair = _DIFFERENCE.value
    return Look(_COLOURS.value, (pair[0], pair[1]) if pair else None)


def degree() -> int | None:
    """Returns the degree of the splines that enlarge maps, for `upsampling.upsample`."""
    return CUBIC if _SPLINE.value == "cubic" else None


def _classes() -> list[str | None]:
    pair = _DIFFERENCE.value
    if not pair:
        return CLASSES.value or [None]
    if len(set(pair)) != 2 or len(pair) != 2:
        raise ValueError(f"--difference={','.join(pair)}: must be two classes, such as sit,stand")
    if CLASSES.value:
        raise ValueError("--classes has no effect with --difference, which names the classes")
    return list(pair)


def tube_settings() -> dict[str, Any]:
    """Returns the settings of tubes from the flags.

    Raises:
      ValueError: tau is not a number.
    """
    text, tau = _TAU.value, None if _TUBE.value == "cam" else TAU
    if text is not None:
        try:
            tau = None if text.lower() == "none" else float(text)
        except ValueError:
            raise ValueError(f"--tau={text}: must be a number in [0, 1], or none") from None
    return {"mode": _TUBE.value, "tau": tau}
