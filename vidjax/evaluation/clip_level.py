"""Clip-level accuracy: how often a single view of a video is classified correctly.

A protocol averages values over the views of a video. Each view therefore carries, beside its
probabilities, whether it is correct; the averages are then shares of correct views.
"""

from __future__ import annotations

import numpy as np

from vidjax.evaluation.metrics import ranks
from vidjax.evaluation.summary import FEWEST_FOR_TOP5

# The values of k for top-k, and their number.
_FIRST = (1, 5)
HITS = len(_FIRST)


def with_hits(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Appends to the probabilities whether the label is the top class and among the top five.

    Args:
      scores: `[B, S, K]` for S views of B clips.
      labels: int `[B]`.

    Returns:
      `[B, S, K + 2]`; the last two are 0 or 1.
    """
    before = ranks(scores, labels[:, None])
    return np.concatenate([scores, *(before[..., None] < k for k in _FIRST)], axis=-1)


def without_hits(averages: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Splits the averages over each video's views again.

    Args:
      averages: `[N, K + 2]`, averages of the results of `with_hits`; all videos have the same
        number of views.

    Returns:
      Probabilities `[N, K]`, and `clip_top1`, the share of all views whose top class is correct.
        With more than five classes also `clip_top5`.
    """
    scores, hits = np.split(averages, [averages.shape[1] - HITS], axis=1)
    shares = dict(zip(("clip_top1", "clip_top5"), hits.mean(axis=0).tolist(), strict=True))
    if scores.shape[1] < FEWEST_FOR_TOP5:
        del shares["clip_top5"]
    return scores, shares
