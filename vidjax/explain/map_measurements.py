"""What the bench of truth finds of one map of one video."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from vidjax.explain.map_metrics import area_under
from vidjax.records import Amount, Count, Name, Share

Curve = list[Amount]


class Measured(msgspec.Struct, frozen=True):
    """One map of one video, a line of `measured.jsonl`.

    Attributes:
      run: which network.
      video: name of the video.
      map: which map, with its settings.
      cells: what it was enlarged from, as text.
      deletion: probability of the class while the map's largest values are blanked, in equal steps.
      insertion: the same while they are shown on a blank clip.
      passes: forward passes that it took.
      seconds: that it took.
      pointing: whether its largest value is inside the mask; None where the video has none.
      energy: the share of its sum that is inside.
      area: the share of the clip that the mask is: what a map without knowledge points into.
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
    """A map of one video beside that of another network, a line of `compared.jsonl`.

    Attributes:
      run: which network.
      video: name of the video.
      map: which map, with its settings.
      place: of the other network in the report, from 0.
      check: what the other network is: `parameters` (random down to a part), `labels` (trained on
        shuffled ones) or `seed` (trained from another one).
      other: the part, or the check in words.
      correlation: Spearman's, of both maps.
      similarity: SSIM, of both maps.
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
