"""One HTML file that opens offline: a slider over time; tubes, layers, kernels, their children."""

from __future__ import annotations

import base64
import html
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.data.transforms import encode_jpeg
from vidjax.explain.back_step import normalize
from vidjax.explain.class_feature_pyramids import KeptLayer, Place, Pyramid
from vidjax.explain.pyramid_figure import strongest
from vidjax.names import in_script

TILES = 24
TUBE = "Saliency Tube"
# A layer's heat is shown no finer: a page has to stay small enough to be sent.
FINEST = 28


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
        `tube`, its title is that of the tube, which is `TUBE` otherwise.
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
      panels: side by side.
      fps: of the clips.
    """
    data = {"title": title, "fps": fps, "panels": [_panel(own) for own in panels]}
    template = importlib.resources.files(__package__).joinpath("page.html")
    return template.read_text(encoding="utf-8").replace("@DATA@", in_script(data))


def embed(text: str, height: int = 900) -> str:
    """A page as a frame inside another, such as a notebook's, with so many pixels of height."""
    quoted = html.escape(text)
    frame = f'<iframe srcdoc="{quoted}" width="100%" height="{height}" style="border:0"></iframe>'
    # A bare frame makes IPython advise its own, which takes addresses alone.
    return f"<div>{frame}</div>"


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "frames": [_text(encode_jpeg(frame, 85)) for frame in panel.frames],
        "heat": _heat(panel.tube),
        "stages": [{"name": name, "heat": _heat(tube)} for name, tube in panel.stages.items()],
        "layers": _layers(panel.pyramid) if panel.pyramid else [],
    }


def _layers(pyramid: Pyramid) -> list[dict[str, Any]]:
    shown = {layer.name: strongest(layer, TILES) for layer in pyramid.layers}
    places: dict[Place, tuple[int, int]] = {
        (layer.name, int(layer.kernels[place])): (row, column)
        for row, layer in enumerate(pyramid.layers)
        for column, place in enumerate(shown[layer.name])
    }
    return [_layer(pyramid, layer, shown[layer.name], places) for layer in pyramid.layers]


def _layer(
    pyramid: Pyramid, layer: KeptLayer, shown: np.ndarray, places: dict[Place, tuple[int, int]]
) -> dict[str, Any]:
    tiles = []
    for place in shown:
        kernel = int(layer.kernels[place])
        edges = pyramid.edges.get((layer.name, kernel), ())
        tiles.append(
            {
                "kernel": kernel,
                "weight": float(layer.weights[place]),
                "count": int(layer.counts[place]),
                "heat": None if layer.maps is None else _heat(layer.maps[place]),
                "relies": len(edges),
                "children": [places[child] for child, _ in edges if child in places],
            }
        )
    total = None if layer.maps is None else np.tensordot(layer.counts, layer.maps, 1)
    return {
        "name": layer.name,
        "level": layer.level,
        "kept": len(layer.kernels),
        "heat": None if total is None else _heat(total),
        "tiles": tiles,
    }


def _heat(volume: np.ndarray) -> dict[str, Any]:
    steps = [-(-size // FINEST) for size in volume.shape]
    small = volume[:, :: steps[1], :: steps[2]]
    levels = (255 * normalize(small)).round().astype(np.uint8)
    return {"size": levels.shape, "data": _text(levels.tobytes())}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
