"""Writes one HTML file that works offline: a video with heatmaps, a time slider and a pyramid.

The file contains its script and style (the files of `page/`), the frames and the heatmaps. Its
content security policy forbids other scripts and all network addresses.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.explain.colours import COLOURS, MOST, SIGNED, heat, shade
from vidjax.explain.page_encoding import clip_text, heat_text, text
from vidjax.explain.page_pyramid import KERNEL_BYTES, pyramid_data, pyramid_facts
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.upsampling import Size
from vidjax.settings import shown
from vidjax.untrusted_names import printable, script_json

# The tube's title.
TUBE = "Saliency Tube"
# The most cells that are stored of a map.
MOST_CELLS: Size = (32, 40, 40)
# Later scripts use earlier ones.
SCRIPTS = ("spline", "player", "thumbnails", "links", "pyramid", "curve", "panel", "main")
LEVELS = np.linspace(0, 1, 256, dtype=np.float32)
COLOUR_TITLES = {
    "inferno": "inferno",
    "turbo": "turbo",
    "jet": "JET at 50 %, as published",
}
# The browser loads, sends and runs nothing that is not in the file.
POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class Panel:
    """One explanation on the page. Several panels stand side by side.

    A heatmap may have fewer cells than the frames. Its first and last cells lie on the first and
    last frames, rows and columns, and a spline passes through all cells (`upsampling.py`).

    Attributes:
      title: title, such as the network and the class.
      frames: the clip, uint8 `[T, H, W, 3]`.
      tube: `[T, H, W]` in [0, 1].
      pyramid: pyramid of the same clip; None shows only the maps.
      stages: further tubes by name, such as those of stages with Class Regularization.
      heats: other maps of the class by title, like `tube`. If one of them equals `tube`, its title
        becomes the tube's title, which is `TUBE` otherwise. A map with values below 0 is a
        difference, in [-1, 1].
      captions: one line for a map, such as its cells and cost, by the map's title or name.
      scores: classes and their probabilities, the best first.
      facts: further facts by name, such as the network, the checkpoint, tau and theta.
    """

    title: str
    frames: np.ndarray
    tube: np.ndarray
    pyramid: Pyramid | None = None
    stages: Mapping[str, np.ndarray] = field(default_factory=dict)
    heats: Mapping[str, np.ndarray] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    scores: Sequence[tuple[str, float]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def page(title: str, panels: Sequence[Panel], fps: float) -> str:
    """Returns the text of the page.

    Args:
      title: title of the page.
      panels: panels, side by side. Panels of the same clip share its frames in the file.
      fps: frames per second of the clips.

    Raises:
      ValueError: names the frames, heatmap or score that cannot be shown.

    Examples:
      >>> import numpy as np
      >>> from vidjax.explain.html_page import Panel, page
      >>> frames = np.zeros((4, 16, 16, 3), np.uint8)
      >>> heat = np.linspace(0, 1, 4 * 16 * 16).reshape(4, 16, 16)
      >>> text = page("my.mp4", [Panel("kick", frames, heat)], fps=12)
      >>> text.startswith("<!doctype html>"), "<script src" in text
      (True, False)
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps = {shown(fps)}: must be a number above 0")
    if not panels:
        raise ValueError("panels = []: a page needs at least one panel")
    numbers = [_digest(panel.frames) for panel in panels]
    clips = dict(zip(numbers, (panel.frames for panel in panels), strict=True))
    places = {number: place for place, number in enumerate(clips)}
    data = {
        "title": printable(title),
        "fps": fps,
        "colours": [_colours(name) for name in COLOURS],
        "signed": text(heat(LEVELS, SIGNED).tobytes()),
        "clips": [{"frames": clip_text(frames)} for frames in clips.values()],
        "panels": [
            {"clip": places[number], **_panel(panel, KERNEL_BYTES // len(panels))}
            for number, panel in zip(numbers, panels, strict=True)
        ],
    }
    return _filled(script_json(data))


def embed(whole: str, height: int = 900) -> str:
    """Returns the page as a frame for another page, such as a notebook; `height` is in pixels."""
    quoted = html.escape(whole)
    frame = f'<iframe srcdoc="{quoted}" width="100%" height="{height}" style="border:0"></iframe>'
    # For a bare frame IPython recommends its own IFrame, which accepts only addresses.
    return f"<div>{frame}</div>"


def _panel(panel: Panel, budget: int) -> dict[str, Any]:
    heats = list(panel.heats.items())
    equal = [place for place, (_, own) in enumerate(heats) if np.array_equal(own, panel.tube)]
    if not equal:
        heats.insert(0, (TUBE, panel.tube))
    facts = {**(pyramid_facts(panel.pyramid) if panel.pyramid else {}), **panel.facts}
    return {
        "title": printable(panel.title),
        "heats": _heats(heats, panel.captions),
        "first": equal[0] if equal else 0,
        "stages": _heats(panel.stages.items(), panel.captions),
        "scores": [_score(name, score) for name, score in panel.scores],
        "facts": [(printable(name), printable(str(value))) for name, value in facts.items()],
        "pyramid": pyramid_data(panel.pyramid, budget) if panel.pyramid else None,
    }


def _heats(
    heats: Iterable[tuple[str, np.ndarray]], captions: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": printable(name),
            "caption": printable(captions.get(name, "")),
            "heat": heat_text(volume, MOST_CELLS, name),
        }
        for name, volume in heats
    ]


def _score(name: str, score: float) -> tuple[str, float]:
    if not 0 <= score <= 1:
        raise ValueError(f"score of {name!r} = {shown(score)}: must be a probability in [0, 1]")
    return printable(name), float(score)


def _colours(name: str) -> dict[str, Any]:
    """Describes a colormap and how it is mixed with the video, as in `colours.overlay`."""
    even = name == "jet"
    levels = LEVELS if even else shade(LEVELS)
    return {
        "name": name,
        "title": COLOUR_TITLES[name],
        "table": text(heat(levels, name).tobytes()),
        "even": even,
        "opacity": 0.5 if even else MOST,
    }


def _digest(frames: np.ndarray) -> str:
    given = np.ascontiguousarray(frames)
    return f"{given.shape} {hashlib.sha256(given.data).hexdigest()}"


def _filled(data: str) -> str:
    """Fills the template with its style, script and data."""
    folder = importlib.resources.files(__package__).joinpath("page")
    read = {
        name: folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "style.css", *(f"{own}.js" for own in SCRIPTS))
    }
    script = "\n".join(['"use strict";', *(read[f"{own}.js"] for own in SCRIPTS)])
    style = read["style.css"]
    policy = POLICY.format(style=_hash(style), script=_hash(script))
    parts = {"POLICY": policy, "STYLE": style, "SCRIPT": script, "DATA": data}
    # All marks are replaced in one pass, because the inserted text may contain such marks.
    return re.sub(r"@([A-Z]+)@", lambda mark: parts[mark[1]], read["page.html"])


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
