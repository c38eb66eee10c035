"""Line styles of maps, the same in every plot of map metrics."""

from __future__ import annotations

from typing import Any

from vidjax.explain.baseline_maps import BASELINES

_STYLES = ("-", "--", ":")
# C7 is left out because it is grey.
_COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9")


def style_of(place: int, kind: str) -> dict[str, Any]:
    """Returns arguments of `plot`: colours for maps of a network, grey for baseline maps.

    Args:
      place: index of the map among all maps.
      kind: name of the map.
    """
    if kind in BASELINES:
        dashes = dict(zip(BASELINES, _STYLES, strict=True))
        return {"color": "0.55", "linestyle": dashes[kind], "linewidth": 2}
    turn, number = divmod(place, len(_COLOURS))
    return {"color": _COLOURS[number], "linestyle": _STYLES[turn % 3], "linewidth": 1.3}
