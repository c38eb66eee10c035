"""The Saliency Tube as a map. See `vidjax.explain.saliency_tubes` for its equation."""

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
    """Draws the tube of a clip, as `vidjax.explain.saliency_tube` computes it.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the layer whose features are shown.
      mode: `thesis` rescales each channel to [0, 1], squares it and adds the squares. `cam` adds
        the weighted channels as they are.
      tau: removes channels whose largest weighted activation is below this share of the largest
        activation overall. None keeps all channels.
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
