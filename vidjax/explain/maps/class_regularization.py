"""The Saliency Tube of a stage with Class Regularization.

Stergiou, thesis, section 6.3.3; ICIP 2020, section 3.3 (`vidjax.explain.regularized_tubes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.map_types import Heat, Map
from vidjax.explain.regularized_tubes import name_of, regularized_pass, regularized_places
from vidjax.explain.saliency_tubes import SETTINGS, low_tubes
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import shown
from vidjax.untrusted_names import nearest


def draw_stage_tube(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> Heat:
    """The tube of one stage, whose channels the class's mapped row weighs.

    Args:
      network: that is explained.
      variables: of it.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the stage, such as `layer3`, or the place in it; None is the last one.
      mode: `thesis` adds squares of channels that are brought to [0, 1] one by one; `cam` adds
        the weighted channels as they are.
      tau: channels whose largest weighted activation is below this share of the largest of all
        are left out; None keeps all.
    """
    place = _place(network, layer)
    _, found = regularized_pass(network)(variables, clip)
    features, rows = map(np.asarray, found[place])
    low, _ = low_tubes([features * rows[class_index][:, None, None, None]], mode, tau)
    return Heat(low, 1)


def _place(network: TracedNetwork, layer: str | None) -> int:
    """Which of a network's places is meant: the last one that is it, or lies in it."""
    names = [place.name for place in regularized_places(network)]
    if layer is None:
        return len(names) - 1
    inside = [
        number
        for number, name in enumerate(names)
        if layer in (name, name_of(name)) or name.startswith(f"{layer}/")
    ]
    if not inside:
        known = nearest(layer, [*names, *map(name_of, names)])
        raise ValueError(f"layer {shown(layer)} has no Class Regularization: {known}")
    return inside[-1]


MAPS = (
    Map(
        "class_regularization",
        "Stage tube",
        draw_stage_tube,
        "Stergiou et al., ICIP 2020, section 3.3; thesis, section 6.3.3",
        SETTINGS,
        needs="Class Regularization (model.options.class_reg)",
        has=lambda network: bool(regularized_places(network)),
        rank=140,
    ),
)
