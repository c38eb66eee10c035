"""Where training clips start and which frames they have: figure 5.6 of the thesis.

The clips come from the same function as in training, not from a formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.data.pipeline import ClipShape

_DRAWS = 20_000


@dataclass(frozen=True)
class Sample:
    """Many clips of one video.

    Attributes:
      shape: shape of the clips.
      starts: share of the clips that start at each frame, float `[L]`.
      frames: share of the clips that include each frame, float `[L]`.
    """

    shape: ClipShape
    starts: np.ndarray
    frames: np.ndarray


def sample(shape: ClipShape, length: int, draws: int = _DRAWS, seed: int = 0) -> Sample:
    """Draws training clips of a video.

    Args:
      shape: shape of the clips, and how their frames are sampled.
      length: number of frames L of the video.
      draws: number of clips.
      seed: seed of the clips.
    """
    rng = np.random.default_rng(seed)
    starts, frames = np.zeros(length), np.zeros(length)
    for _ in range(draws):
        clip = shape.train_indices(rng, length)
        starts[clip[0]] += 1
        frames[np.unique(clip[clip >= 0])] += 1
    return Sample(shape, starts / draws, frames / draws)


def draw(found: Sample) -> Any:
    """Draws two panels: the density of starts, and the share of clips that include a frame."""
    from matplotlib.figure import Figure

    length = len(found.starts)
    shape = found.shape
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.bar(range(length), 100 * found.starts, width=1, color="C0")
    above.set_ylabel("% of clips that start here")
    below.fill_between(range(length), 100 * found.frames, step="mid", color="C1", alpha=0.8)
    below.set_ylabel("% of clips with this frame")
    below.set_xlabel(f"frame of a video of {length}")
    below.set_ylim(0)
    below.set_xlim(-0.5, length - 0.5)
    for axes in (above, below):
        axes.axvline(length / 4, color="0.5", linestyle=":", linewidth=1)
        axes.axvline(length / 2, color="0.5", linestyle="--", linewidth=1)
    figure.suptitle(
        f"{shape.sampling}: clips of {shape.frames} frames, stride {shape.stride}; "
        "a quarter (dotted) and half (dashed) of the video"
    )
    return figure
