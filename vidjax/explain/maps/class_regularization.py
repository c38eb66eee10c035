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
    """Draws the tube of one stage, whose channels are weighted by the class's mapped row.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the stage, such as `layer3`, or a module in it; None is the last stage.
      mode: `thesis` rescales each channel to [0, 1], squares it and adds the squares. `cam` adds
        the weighted channels as they are.
      tau: removes channels whose largest weighted activation is below this share of the largest
        activation overall. None keeps all channels.
    """
    place = _place(network, layer)
    _, found = regularized_pass(network)(variables, clip)
    features, rows = map(np.asarray, found[place])
    low, _ = low_tubes([features * rows[class_index][:, None, None, None]], mode, tau)
    return Heat(low, 1)


def _place(network: TracedNetwork, layer: str | None) -> int:
    """Returns the index of the location that a name means, or of the last location inside it."""
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
