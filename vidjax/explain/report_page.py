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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vidjax.explain.class_feature_pyramids import Pyramid
from vidjax.explain.page_data import TUBE, check_clip, check_heat, coded
from vidjax.names import in_script
from vidjax.settings import shown

__all__ = ["TUBE", "Panel", "embed", "page"]

# In the order in which they use each other.
SCRIPTS = ("spline", "player", "sight", "links", "pyramid", "curve", "panel", "start")


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

    Raises:
      ValueError: names a panel's frames, heat or score that cannot be shown.
    """
    ...
