"""Which frames of a clip a selection keeps, by a network's features: figure 5.4 of the thesis.

The features of a layer are pooled in space and compared as in an MTConv after the layer: a frame is
redundant if its cosine similarities with its two neighbours are high.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from vidjax.layers.soft_pool import soft_pool
from vidjax.layers.temporal_frame_selection import redundancy, temporal_frame_selection
from vidjax.trained.features import features
from vidjax.trained.preprocessing import read_clip
from vidjax.trained.trained_network import Trained

_FEWEST = 3
# Precision of cosines in float32.
_LEAST = 1e-7


@dataclass(frozen=True)
class Selection:
    """A clip and the frames that a selection keeps.

    Attributes:
      pictures: float `[T, H, W, 3]` in [0, 1]: for each of the T frames of the features, the first
        frame of the clip that it covers.
      redundancy: redundancy of the frames 1 to T - 2, float `[T - 2]`.
      chosen: numbers of the selected frames, ascending.
      layer: layer of the features.
    """

    pictures: np.ndarray
    redundancy: np.ndarray
    chosen: np.ndarray
    layer: str


def select(trained: Trained, video: Path, layer: str) -> Selection:
    """Selects from the middle clip of a video.

    Raises:
      ValueError: the network has no such layer, or too few frames are left there.
    """
    clip = read_clip(video, trained.preprocessing)
    clips = jnp.asarray(clip[None])
    found = features(trained.model, trained.variables, clips, layer, pooled=False)
    if found.ndim != 5 or found.shape[1] < _FEWEST:
        raise ValueError(
            f"--layer={layer}: its features have the shape {found.shape}; a selection needs "
            f"{_FEWEST} frames or more"
        )
    if min(found.shape[2:4]) > 1:
        found = soft_pool(found, (1, 2, 2))
    length = found.shape[1]
    _, chosen = temporal_frame_selection(found)
    shown = clip[np.arange(length) * len(clip) // length]
    seen = trained.preprocessing
    pictures = np.clip(shown * np.array(seen.std) + np.array(seen.mean), 0, 1)
    return Selection(pictures, np.asarray(redundancy(found)[0]), np.asarray(chosen[0]), layer)


def draw(selection: Selection) -> Any:
    """Draws the frames in a row, the selected ones outlined, above a bar for each candidate.

    Cosines of neighbours are close to 1, so the bars show 2 minus their sum on a logarithmic axis.
    The selected frames have the highest bars.
    """
    from matplotlib.figure import Figure

    length = len(selection.pictures)
    figure = Figure(figsize=(max(6.0, 1.1 * length), 3.4), layout="constrained")
    grid = figure.add_gridspec(2, length, height_ratios=(1, 1.3))
    chosen = set(selection.chosen.tolist())
    for number, picture in enumerate(selection.pictures):
        axes = figure.add_subplot(grid[0, number])
        axes.imshow(picture)
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_color("C3" if number in chosen else "0.8")
            side.set_linewidth(3 if number in chosen else 1)
    below = figure.add_subplot(grid[1, :])
    inner = range(1, length - 1)
    colors = ["C3" if number in chosen else "0.6" for number in inner]
    below.bar(inner, np.maximum(2 - selection.redundancy, _LEAST), color=colors, width=0.6)
    below.set_yscale("log")
    below.set_xlim(-0.5, length - 0.5)
    below.set_xticks(range(length))
    below.set_xlabel(f"frame of the features of {selection.layer}; red ones are selected")
    below.set_ylabel("2 - two cosines")
    return figure
