"""Score-CAM: channels are weighted by the class's score for the clip masked with each channel.

Source: Wang et al., CVPR workshops 2020, definition 3 and algorithm 1. Masks are channels that are
upsampled to the clip like every map and rescaled to [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from vidjax.explain.back_step import normalize
from vidjax.explain.features_and_gradients import added, features_of
from vidjax.explain.map_types import Heat, Map, Progress
from vidjax.explain.perturbation import SCORE, Perturbed
from vidjax.explain.traced_network import TracedNetwork
from vidjax.explain.upsampling import upsample
from vidjax.settings import boolean, optional, whole

SETTINGS = {"score": SCORE, "softmax": boolean(), "top": optional(whole(1, 2**31 - 1))}


def draw_score_cam(
    network: TracedNetwork,
    variables: Any,
    clip: Any,
    class_index: int,
    layer: str | None,
    *,
    score: str = "logit",
    softmax: bool = True,
    top: int | None = None,
    progress: Progress | None = None,
) -> Heat:
    """Computes `relu(sum_k w_k a_k)`, where w are the scores of the clip masked with each channel.

    Feature groups of several sizes (SlowFast) share one softmax and are rectified one by one.

    Args:
      network: the network to explain.
      variables: its variables.
      clip: `[1, T, H, W, 3]`.
      class_index: the class.
      layer: the layer whose features are shown.
      score: score of the class, `logit` or `probability`. The authors' code has the probability,
        without `softmax`.
      softmax: whether a softmax over all channels turns scores into weights (algorithm 1). If not,
        the weights are the scores minus the score of a blank clip (definition 3).
      top: use only this many channels, those with the largest variance (Faster Score-CAM). None
        uses all.
      progress: called with the number of finished passes and the total.
    """
    features = features_of(network, variables, clip, layer)
    places = _places(features, top)
    blank = np.zeros((1, 1, 1), np.float32)

    def masks() -> Any:
        yield blank
        for group, channel in places:
            yield normalize(upsample(features[group][channel], clip.shape[1:4]))

    seen = Perturbed(network, variables, clip, class_index, score)
    nothing, *scores = (own for _, own in seen.answers(masks(), len(places) + 1, progress))
    increase = np.array(scores) - nothing
    shares = special.softmax(increase) if softmax else increase
    weights = [np.zeros(len(own)) for own in features]
    for (group, channel), share in zip(places, shares, strict=True):
        weights[group][channel] = share
    cells = (np.maximum(added(a, w), 0) for a, w in zip(features, weights, strict=True))
    return Heat(tuple(cells), len(places) + 2)


def _places(features: list[np.ndarray], top: int | None) -> list[tuple[int, int]]:
    """Returns group and number of the channels that are used as masks."""
    every = [(group, channel) for group, own in enumerate(features) for channel in range(len(own))]
    if top is None:
        return every
    variances = np.concatenate([own.var((1, 2, 3)) for own in features])
    return [every[place] for place in sorted(np.argsort(-variances, kind="stable")[:top])]


MAPS = (
    Map(
        "score_cam",
        "Score-CAM",
        draw_score_cam,
        "Wang et al., CVPR workshops 2020, definition 3 and algorithm 1",
        SETTINGS,
        rank=70,
    ),
)
