"""How the line of a map is drawn: the same in every picture of the bench of truth."""

from __future__ import annotations

from typing import Any

from vidjax.explain.baseline_maps import BASELINES

_STYLES = ("-", "--", ":")
# Without C7, which is grey.
_COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9")


def style_of(place: int, kind: str) -> dict[str, Any]:
    """Arguments of `plot`: colours for maps of a network, grey for those that know nothing of it.

    Args:
      place: of the map among all.
      kind: which map.
    """
    if kind in BASELINES:
        dashes = dict(zip(BASELINES, _STYLES, strict=True))
        return {"color": "0.55", "linestyle": dashes[kind], "linewidth": 2}
    turn, number = divmod(place, len(_COLOURS))
    return {"color": _COLOURS[number], "linestyle": _STYLES[turn % 3], "linewidth": 1.3}
