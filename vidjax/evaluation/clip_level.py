"""Clip-level scores: how often a single view of a video is right, by itself.

A protocol averages whatever `[B, S]` views come with. Here each view brings, beside its
probabilities, whether it is right: the averages are then shares of views.
"""

from __future__ import annotations

import numpy as np

from vidjax.evaluation.metrics import ranks
from vidjax.evaluation.summary import FEWEST_FOR_TOP5

# Which places of the label count, and how many columns they are.
_FIRST = (1, 5)
HITS = len(_FIRST)


def with_hits(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities, and whether the label is the first class of a view and among its first five.

    Args:
      scores: `[B, S, K]` of S views of B clips.
      labels: int `[B]`.

    Returns:
      `[B, S, K + 2]`; the last two are 0 or 1.
    """
    before = ranks(scores, labels[:, None])
    return np.concatenate([scores, *(before[..., None] < k for k in _FIRST)], axis=-1)


def without_hits(averages: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Averages over the views of each video, taken apart again.

    Args:
      averages: `[N, K + 2]`, of what `with_hits` returns, with as many views of each video.

    Returns:
      Probabilities `[N, K]`; and `clip_top1`, the share of all views whose likeliest class is
      right, and of more than five classes `clip_top5`.
    """
    scores, hits = np.split(averages, [averages.shape[1] - HITS], axis=1)
    shares = dict(zip(("clip_top1", "clip_top5"), hits.mean(axis=0).tolist(), strict=True))
    if scores.shape[1] < FEWEST_FOR_TOP5:
        del shares["clip_top5"]
    return scores, shares
