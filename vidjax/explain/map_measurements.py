"""Measurements of one map of one video."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from vidjax.explain.map_metrics import area_under
from vidjax.records import Amount, Count, Name, Share

Curve = list[Amount]


class Measured(msgspec.Struct, frozen=True):
    """The metrics of one map of one video; a line of `measured.jsonl`.

    Attributes:
      run: the network.
      video: name of the video.
      map: the map, with its settings.
      cells: the map's resolution before upsampling, as text.
      deletion: probability of the class while the map's largest values are blanked, in equal steps.
      insertion: probability of the class while they are shown on a blank clip.
      passes: number of forward passes of the map.
      seconds: time that the map took.
      pointing: whether the map's largest value is inside the mask; None for a video without a mask.
      energy: share of the map's sum inside the mask.
      area: share of the clip that the mask covers, which a map without knowledge would score.
    """

    run: Name
    video: Name
    map: Name
    cells: str
    deletion: Curve
    insertion: Curve
    passes: Count
    seconds: Amount
    pointing: Share | None = None
    energy: Share | None = None
    area: Share | None = None


class Compared(msgspec.Struct, frozen=True):
    """A map of one video compared with the map of another network; a line of `compared.jsonl`.

    Attributes:
      run: the network.
      video: name of the video.
      map: the map, with its settings.
      place: position of the other network in the report, from 0.
      check: the other network: `parameters` (random down to a module), `labels` (trained on
        shuffled labels) or `seed` (trained from another seed).
      other: the module, or the check in words.
      correlation: Spearman's correlation of both maps.
      similarity: SSIM of both maps.
    """

    run: Name
    video: Name
    map: Name
    place: Count
    check: Name
    other: Name
    correlation: float
    similarity: float


Quantity = Callable[[Measured], float | None]
QUANTITIES: Mapping[str, Quantity] = {
    "pointing": lambda own: own.pointing,
    "energy": lambda own: own.energy,
    "area": lambda own: own.area,
    "deletion": lambda own: area_under(np.array(own.deletion)),
    "insertion": lambda own: area_under(np.array(own.insertion)),
}
