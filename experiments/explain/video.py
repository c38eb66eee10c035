"""What networks see in one video: Saliency Tubes and Class Feature Pyramids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments.explain.files import new_files
from experiments.explain.settings import CHECKPOINT
from vidjax.explain.pyramid_figure import draw_pyramid
from vidjax.explain.pyramid_json import to_json
from vidjax.explain.render import write_heat
from vidjax.explain.report_page import page
from vidjax.explain.rows import what_differs
from vidjax.explain.saliency_tubes import MODES
from vidjax.training.explaining import OpenClip, Seen, open_clip, see
from vidjax.training.reporting import ProgressLine

_VIDEO = flags.DEFINE_string("video", None, "tubes, pyramid: a video file")
_CLASSES = flags.DEFINE_list("classes", [], "tubes, pyramid: which; none is the predicted one")
_TUBE = flags.DEFINE_enum("tube", "thesis", MODES, "tubes: the thesis' form, or plain CAM")
_TAU = flags.DEFINE_float("tau", None, "tubes: leave out channels below this share of the largest")
_DEPTH = flags.DEFINE_integer("depth", 3, "pyramid: levels, that of the class included")
_THRESHOLD = flags.DEFINE_float("threshold", 0.6, "pyramid: theta, in [0, 1]")
_TOP = flags.DEFINE_integer("top", None, "pyramid: at most so many kernels from each list")
_LISTS = flags.DEFINE_enum(
    "lists", "layer", ["layer", "feature"], "pyramid: one list for a layer, or for each kernel"
)
HEAT = ("mp4", "gif", "png")
Named = Mapping[str, Seen]


def explain_tubes(runs: Sequence[Path], output: Path, progress: ProgressLine) -> list[Path]:
    """Where the networks look for the classes."""
    names = [f"tubes.{end}" for end in (*HEAT, "html")]
    seen, fps, video = _see(runs, output, names, None, progress)
    return [
        *_write_heat(output, "tubes", seen, fps, _volumes),
        _write_page(output / "tubes.html", seen, fps, video),
    ]


def explain_pyramid(runs: Sequence[Path], output: Path, progress: ProgressLine) -> list[Path]:
    """Which kernels of the networks speak for the classes."""
    settings = {
        "depth": _DEPTH.value,
        "threshold": _THRESHOLD.value,
        "top": _TOP.value,
        "mode": _LISTS.value,
    }
    names = ["pyramid.json", "pyramid.png", "pyramid.html", *(f"layers.{end}" for end in HEAT)]
    seen, fps, video = _see(runs, output, names, settings, progress)
    files = []
    for place, (name, own) in zip(_places(seen), seen.items(), strict=True):
        assert own.pyramid
        text, picture = output / f"pyramid{place}.json", output / f"pyramid{place}.png"
        text.write_text(to_json(own.pyramid), encoding="utf-8")
        draw_pyramid(own.pyramid, own.frames, name).savefig(picture)
        files += [text, picture]
    files += _write_heat(output, "layers", seen, fps, _layers)
    return [*files, _write_page(output / "pyramid.html", seen, fps, video)]


def _see(
    runs: Sequence[Path],
    output: Path,
    names: Sequence[str],
    pyramid: Mapping[str, Any] | None,
    progress: ProgressLine,
) -> tuple[dict[str, Seen], float, Path]:
    """Explanations by what tells them apart, frames a second, and the video."""
    if not _VIDEO.value:
        raise ValueError("--video is missing: tubes and pyramids are of one video")
    new_files(output, *names)
    video = Path(_VIDEO.value)
    seen: dict[str, Seen] = {}
    for run, short in zip(runs, what_differs([str(run) for run in runs]), strict=True):
        opened = open_clip(run, video, CHECKPOINT.value)
        for label in _CLASSES.value or [None]:
            progress.show(f"explaining {short} {label or ''}".strip())
            own = _see_class(opened, label, pyramid)
            seen[f"{short}: {own.title}" if len(runs) > 1 else own.title] = own
    progress.show("writing", final=True)
    output.mkdir(parents=True, exist_ok=True)
    return seen, opened.fps, video


def _see_class(opened: OpenClip, label: str | None, pyramid: Mapping[str, Any] | None) -> Seen:
    tube = {"mode": _TUBE.value, "tau": _TAU.value}
    return see(opened, label, tube=tube, pyramid=None if pyramid is None else dict(pyramid))


def _places(seen: Named) -> list[str]:
    """What is added to the names of files of which there is one for each explanation."""
    return [""] if len(seen) == 1 else [f"-{number}" for number in range(1, len(seen) + 1)]


def _volumes(own: Seen) -> dict[str, np.ndarray]:
    stages = {place.split("/")[0]: tube.volume for place, tube in own.stages.items()}
    return {"": own.tube.volume, **stages}


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


def _write_page(file: Path, seen: Named, fps: float, video: Path) -> Path:
    panels = [own.panel(title) for title, own in seen.items()]
    file.write_text(page(video.name, panels, fps), encoding="utf-8")
    return file
