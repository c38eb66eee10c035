"""The preprocessing that published weights expect."""

from __future__ import annotations

from typing import Any

from vidjax.models.model_list import model_card
from vidjax.trained.preprocessing import Colours, Preprocessing
from vidjax.trained.published.checkpoint import Checkpoint

# Projects' descriptions of sampling one frame from each of T equal segments begin like this.
_SEGMENTS = ("segments", "uniform")


def preprocessing_of(row: Checkpoint) -> Preprocessing:
    """Returns the preprocessing of a checkpoint, with channels in the order RGB.

    Values that the project does not state get defaults: the frames of the network's card, stride 1,
    each video's own frame rate, and a crop without a border.
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
    """Returns the keyword arguments of `convert` for a checkpoint's input normalisation."""
    return {"mean": _rgb(row, row.mean), "std": _rgb(row, row.std), "channels": row.channels}


def _rgb(row: Checkpoint, colours: Colours) -> Colours:
    first, second, third = colours
    return (third, second, first) if row.channels == "BGR" else colours
