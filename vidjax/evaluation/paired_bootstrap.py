"""Paired bootstrap: whether two classifiers differ significantly in mean average precision.

Source: Efron and Tibshirani 1993, chapter 13. PASCAL VOC compares average precisions like this
(Everingham et al., IJCV 2015, section 3.5). Samples of the videos are drawn with replacement, the
same for both classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.evaluation.average_precision import Ranking, mean_average_precision

SAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """Result of the comparison.

    Attributes:
      a: mean average precision of the first classifier.
      b: mean average precision of the second classifier.
      low: lower end of the interval of b - a that contains 95 % of the samples.
      high: its upper end.
      p_value: twice the share of samples on the rarer side of no difference.
      per_class: average precisions float64 `[K, 2]`; NaN for a class that no video has.
    """

    a: float
    b: float
    low: float
    high: float
    p_value: float
    per_class: np.ndarray


def paired_bootstrap(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    positive: np.ndarray,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Difference:
    """Compares two classifiers on the same videos.

    A class without videos in a sample does not count in that sample.

    Args:
      scores_a: scores of the first classifier `[N, K]`, any monotone score.
      scores_b: scores of the second classifier for the same videos and classes.
      positive: bool `[N, K]`, which videos have which class.
      samples: number of samples.
      seed: seed of the samples.

    Raises:
      ValueError: no video has a label.
    """
    rankings = [Ranking(scores, positive) for scores in (scores_a, scores_b)]
    once = np.ones(len(positive), int)
    per_class = np.stack([ranking.average_precision(once) for ranking in rankings], axis=1)
    a, b = (mean_average_precision(per_class[:, place]) for place in range(2))
    rng, share = np.random.default_rng(seed), np.full(len(positive), 1 / len(positive))
    differences = []
    for _ in range(samples):
        times = rng.multinomial(len(positive), share)
        # A sample in which no video has a label has no score.
        if positive[times > 0].any():
            one, other = (
                mean_average_precision(ranking.average_precision(times)) for ranking in rankings
            )
            differences.append(other - one)
    found = np.array(differences)
    rarer = min(np.sum(found <= 0), np.sum(found >= 0))
    low, high = np.quantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    # The data themselves count as a sample, so that p is never 0.
    p = min(1.0, 2 * (rarer + 1) / (len(found) + 1))
    return Difference(a, b, float(low), float(high), float(p), per_class)
