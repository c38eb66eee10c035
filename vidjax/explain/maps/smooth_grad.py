"""SmoothGrad: the mean gradient of noisy copies of a clip.

Source: Smilkov et al., arXiv 1706.03825, 2017, section 2.1. It is drawn like the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import clip_gradients
from vidjax.explain.map_types import WITH_GRADIENT, Heat, Map, Progress
from vidjax.explain.traced_network import TracedNetwork
from vidjax.settings import number, whole

SETTINGS = {"samples": whole(1, 100_000), "noise": number(0, 10), "seed": whole(0, 2**31 - 1)}


def draw_smooth_grad(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    progress: Progress | None = None,
) -> Heat:
    """Computes `max_k |mean_n g_k(x + e_n)|` with normal noise e.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the layer whose gradients are taken; None is the clip itself.
      samples: number of noisy clips.
      noise: standard deviation of the noise, as a share of the clip's range of values.
      seed: seed of the noise. Clip number n depends only on the seed and n.
      progress: called with the number of finished passes and the total.
    """
    plain = np.asarray(clip, np.float32)
    deviation = noise * float(np.ptp(plain))
    total: list[Any] = []
    for sample in range(samples):
        added = np.random.default_rng((seed, sample)).normal(0, deviation, plain.shape)
        noisy = (plain + added).astype(clip.dtype)
        found = clip_gradients(network, variables, noisy, class_index, layer)
        total = [np.add(*pair) for pair in zip(total or [0.0] * len(found), found, strict=True)]
        if progress:
            progress(WITH_GRADIENT * (sample + 1), WITH_GRADIENT * samples)
    cells = (np.abs(own / samples).max(0) for own in total)
    return Heat(tuple(cells), WITH_GRADIENT * samples)


MAPS = (
    Map(
        "smooth_grad",
        "SmoothGrad",
        draw_smooth_grad,
        "Smilkov et al., arXiv 1706.03825, 2017, section 2.1",
        SETTINGS,
        rank=100,
    ),
)
