"""One HTML file that opens offline: a video with heat over it, a slider over time, a pyramid.

The page's own script and style are the files of `page/`. They, the frames and the heat are all in
the one file. Its policy forbids scripts that are not the page's own, and every address.
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
from vidjax.untrusted_names import in_script, told

# The tube's title.
TUBE = "Saliency Tube"
# Cells that are left of a map.
MOST_CELLS: Size = (32, 40, 40)
# In the order in which they use each other.
SCRIPTS = ("spline", "player", "sight", "links", "pyramid", "curve", "panel", "start")
LEVELS = np.linspace(0, 1, 256, dtype=np.float32)
COLOUR_TITLES = {
    "inferno": "inferno",
    "turbo": "turbo",
    "jet": "JET at 50 %, as published",
}
# Nothing is loaded, sent or run but what is in the file.
POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class Panel:
    """One explanation; several stand side by side.

    Heat need not be as fine as the frames: its first and last cells lie on the first and last
    frames, rows and columns, and a spline passes through all of them (`enlarging.py`).

    Attributes:
      title: such as the network and the class.
      frames: the clip, uint8 `[T, H, W, 3]`.
      tube: `[T, H, W]` in [0, 1].
      pyramid: of the same clip; None shows the maps alone.
      stages: further tubes, such as those of stages with Class Regularization, by their names.
      heats: other maps of the class, like `tube`, by their titles. Where one of them equals
        `tube`, its title is that of the tube, which is `TUBE` otherwise. One with values below 0
        is a difference, in [-1, 1].
      captions: a line for a map, such as its cells and its cost, by its title or name.
      scores: classes and their probabilities, the best first.
      facts: what else to know, such as the network, the checkpoint, tau and theta, by their names.
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
    """The page's text.

    Args:
      title: above all.
      panels: side by side; those of the same clip share it.
      fps: of the clips.

    Raises:
      ValueError: names the frames, heat or score of a panel that cannot be shown.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps = {shown(fps)}: must be a number above 0")
    if not panels:
        raise ValueError("panels = []: a page shows one or more")
    numbers = [_digest(panel.frames) for panel in panels]
    clips = dict(zip(numbers, (panel.frames for panel in panels), strict=True))
    places = {number: place for place, number in enumerate(clips)}
    data = {
        "title": told(title),
        "fps": fps,
        "colours": [_colours(name) for name in COLOURS],
        "signed": text(heat(LEVELS, SIGNED).tobytes()),
        "clips": [{"frames": clip_text(frames)} for frames in clips.values()],
        "panels": [
            {"clip": places[number], **_panel(panel, KERNEL_BYTES // len(panels))}
            for number, panel in zip(numbers, panels, strict=True)
        ],
    }
    return _filled(in_script(data))


def embed(whole: str, height: int = 900) -> str:
    """A page as a frame inside another, such as a notebook's, with so many pixels of height."""
    quoted = html.escape(whole)
    frame = f'<iframe srcdoc="{quoted}" width="100%" height="{height}" style="border:0"></iframe>'
    # A bare frame makes IPython advise its own, which takes addresses alone.
    return f"<div>{frame}</div>"


def _panel(panel: Panel, budget: int) -> dict[str, Any]:
    heats = list(panel.heats.items())
    equal = [place for place, (_, own) in enumerate(heats) if np.array_equal(own, panel.tube)]
    if not equal:
        heats.insert(0, (TUBE, panel.tube))
    facts = {**(pyramid_facts(panel.pyramid) if panel.pyramid else {}), **panel.facts}
    return {
        "title": told(panel.title),
        "heats": _heats(heats, panel.captions),
        "first": equal[0] if equal else 0,
        "stages": _heats(panel.stages.items(), panel.captions),
        "scores": [_score(name, score) for name, score in panel.scores],
        "facts": [(told(name), told(str(value))) for name, value in facts.items()],
        "pyramid": pyramid_data(panel.pyramid, budget) if panel.pyramid else None,
    }


def _heats(
    heats: Iterable[tuple[str, np.ndarray]], captions: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": told(name),
            "caption": told(captions.get(name, "")),
            "heat": heat_text(volume, MOST_CELLS, name),
        }
        for name, volume in heats
    ]


def _score(name: str, score: float) -> tuple[str, float]:
    if not 0 <= score <= 1:
        raise ValueError(f"score of {name!r} = {shown(score)}: must be a probability in [0, 1]")
    return told(name), float(score)


def _colours(name: str) -> dict[str, Any]:
    """Colours, and how they are mixed with the video, as `colours.overlay` does."""
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
    """The template with its style, its script and its data."""
    folder = importlib.resources.files(__package__).joinpath("page")
    read = {
        name: folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "style.css", *(f"{own}.js" for own in SCRIPTS))
    }
    script = "\n".join(['"use strict";', *(read[f"{own}.js"] for own in SCRIPTS)])
    style = read["style.css"]
    policy = POLICY.format(style=_hash(style), script=_hash(script))
    parts = {"POLICY": policy, "STYLE": style, "SCRIPT": script, "DATA": data}
    # In one go: what is put in may hold such a mark itself.
    return re.sub(r"@([A-Z]+)@", lambda mark: parts[mark[1]], read["page.html"])


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
