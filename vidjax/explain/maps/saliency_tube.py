"""The Saliency Tube as a map (`vidjax.explain.saliency_tubes` has its equation)."""

from __future__ import annotations

from typing import Any

from vidjax.explain.features_and_gradients import gradients_at
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map
from vidjax.explain.saliency_tubes import SETTINGS, low_tubes
from vidjax.explain.traced_network import TracedNetwork


def draw_tube(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> Heat:
    """The tube of a clip, as `vidjax.explain.saliency_tube` gives it.

    Args:
      network: that is explained.
      variables: of it.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: whose features are shown.
      mode: `thesis` adds squares of channels that are brought to [0, 1] one by one; `cam` adds
        the weighted channels as they are.
      tau: channels whose largest weighted activation is below this share of the largest of all
        are left out; None keeps all.
    """
    pairs = gradients_at(network, variables, clip, class_index, layer)
    weighted = [a * g.sum((1, 2, 3), keepdims=True) for a, g in pairs]
    low, _ = low_tubes(weighted, mode, tau)
    return Heat(low, WITH_GRADIENT)


MAPS = (
    Map(
        "saliency_tube",
        "Saliency Tube",
        draw_tube,
        "Stergiou et al., ICIP 2019; thesis, eq. 7.1",
        SETTINGS,
        rank=0,
    ),
)
