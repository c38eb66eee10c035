"""The clips that published weights take."""

from __future__ import annotations

from typing import Any

from vidjax.models.model_list import model_card
from vidjax.trained.preprocessing import Colours, Preprocessing
from vidjax.trained.published.checkpoint import Checkpoint

# How the projects' words begin that say: one frame of each of T equal parts of the video.
_SEGMENTS = ("segments", "uniform")


def preprocessing_of(row: Checkpoint) -> Preprocessing:
    """What is done to a video before the network of a checkpoint sees it, colours in order RGB.

    What the project does not say is filled in: the frames of the network's card, stride 1, each
    video's own frame rate, and no border around the crop.
    """
    side = row.size if row.short_side is None else row.short_side
    return Preprocessing(
        frames=row.frames or model_card(row.network).clip[0],
        stride=row.stride or 1,
        size=row.size,
        short_side=min(side) if isinstance(side, tuple) else side,
        mean=_rgb(row, row.mean),
        std=_rgb(row, row.std),
        fps=row.fps,
        sampling="segments" if row.sampling.startswith(_SEGMENTS) else "dense",
        stretched=(side[0], side[1]) if isinstance(side, tuple) else None,
    )


def colours_of(row: Checkpoint) -> dict[str, Any]:
    """What `convert` must be given for the colours of a checkpoint, as keywords."""
    return {"mean": _rgb(row, row.mean), "std": _rgb(row, row.std), "channels": row.channels}


def _rgb(row: Checkpoint, colours: Colours) -> Colours:
    first, second, third = colours
    return (third, second, first) if row.channels == "BGR" else colours
