"""How the line of a map is drawn: the same in every picture of the bench of truth."""

from __future__ import annotations

from typing import Any

from vidjax.explain.baselines import BASELINES

_STYLES = ("-", "--", ":")


def style_of(place: int, kind: str) -> dict[str, Any]:
    """Arguments of `plot`: colours for maps of a network, grey for those that know nothing of it.

    Args:
      place: of the map among all.
      kind: which map.
    """
    if kind in BASELINES:
        dashes = dict(zip(BASELINES, _STYLES, strict=True))
        return {"color": "0.55", "linestyle": dashes[kind], "linewidth": 2}
    return {"color": f"C{place % 10}", "linestyle": _STYLES[place // 10 % 3], "linewidth": 1.3}
