"""What networks see in one video: Saliency Tubes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from vidjax.explain.colours import COLOURS, DEFAULT
from vidjax.explain.saliency_tubes import MODES
from vidjax.explain.tables import what_differs
from vidjax.explain.upsampling import CUBIC
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.trained.clip_explanation import TAU, OpenClip, Seen, open_clip, see

from .explained_network import Subject
from .explanation_files import TUBE_FILES, Look, Own, Part, write_tubes
from .output_files import new_files

_ANY = "tubes, maps, pyramid, kernels, amplified"
VIDEO = flags.DEFINE_string(
    "video", None, f"{_ANY}: a video file; kernels, amplified: or several with commas"
)
CLASSES = flags.DEFINE_list("classes", [], f"{_ANY}: which; none is the predicted one")
_DIFFERENCE = flags.DEFINE_list(
    "difference", [], "tubes, maps: two classes, of which also the difference is drawn"
)
_COLOURS = flags.DEFINE_enum(
    "colours",
    DEFAULT,
    COLOURS,
    f"{_ANY}: of heat; jet is as published, half heat and half video",
)
_SPLINE = flags.DEFINE_enum(
    "spline",
    "cubic",
    ["cubic", "paper"],
    f"{_ANY}: that enlarges maps; the paper's has the degree frames / cells, at most 5",
)
_TUBE = flags.DEFINE_enum("tube", "thesis", MODES, "tubes: the thesis' form, or plain CAM")
_TAU = flags.DEFINE_string(
    "tau",
    None,
    "tubes: leave out channels below this share of the largest, or none; "
    f"{TAU:g} if not given, of --tube=cam none",
)


def explain_tubes(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Where the networks look for the classes."""
    new_files(output, *TUBE_FILES)
    tube = tube_settings()

    def explain(opened: OpenClip, label: str | None) -> Seen:
        return see(opened, label, tube=tube, degree=degree())

    return write_tubes(output, *see_all(subjects, explain, progress), look())


def see_all(
    subjects: Sequence[Subject],
    explain: Callable[[OpenClip, str | None], Own],
    progress: ProgressLine,
) -> tuple[list[Part[Own]], Path]:
    """Explains each network and class.

    Args:
      subjects: the networks.
      explain: gets a network with a clip, and a class or None, the predicted one.
      progress: shown to the user.

    Returns:
      The explanations, and the video that they are of.

    Raises:
      ValueError: there is no video or class, or the network cannot be explained so.
    """
    if not VIDEO.value:
        raise ValueError("--video is missing: tubes, maps and pyramids are of one video")
    video, classes = as_path(VIDEO.value), _classes()
    parts: list[Part[Own]] = []
    names = what_differs([subject.name for subject in subjects])
    for subject, short in zip(subjects, names, strict=True):
        opened = open_clip(subject.trained, video)
        for label in classes:
            progress.show(f"explaining {short} {label or ''}".strip())
            own = explain(opened, label)
            if own.note:
                progress.note(f"{short}: {own.note}")
            parts.append(Part(own, short if len(subjects) > 1 else ""))
    progress.show("writing", final=True)
    return parts, video


def look() -> Look:
    """How the command line wants heat drawn."""
    pair = _DIFFERENCE.value
    return Look(_COLOURS.value, (pair[0], pair[1]) if pair else None)


def degree() -> int | None:
    """Of the splines that enlarge maps, as `enlarging.enlarge` takes it."""
    return CUBIC if _SPLINE.value == "cubic" else None


def _classes() -> list[str | None]:
    pair = _DIFFERENCE.value
    if not pair:
        return CLASSES.value or [None]
    if len(set(pair)) != 2 or len(pair) != 2:
        raise ValueError(f"--difference={','.join(pair)}: two classes are due, such as sit,stand")
    if CLASSES.value:
        raise ValueError("--classes has no effect beside --difference, which names the classes")
    return list(pair)


def tube_settings() -> dict[str, Any]:
    """Settings of tubes.

    Raises:
      ValueError: tau is no number.
    """
    text, tau = _TAU.value, None if _TUBE.value == "cam" else TAU
    if text is not None:
        try:
            tau = None if text.lower() == "none" else float(text)
        except ValueError:
            raise ValueError(f"--tau={text}: a share in [0, 1], or none") from None
    return {"mode": _TUBE.value, "tau": tau}
