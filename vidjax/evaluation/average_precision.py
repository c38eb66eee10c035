"""Metrics of multi-label classification: average precision, F1 and loss."""

from __future__ import annotations

import numpy as np

# A probability that float32 rounds to 1 may be smaller than 1 by up to this.
_ROUNDING = 2.0**-25


class Ranking:
    """Sorts the videos of each class by score, to compute average precision on samples of them.

    Args:
      scores: `[N, K]`, any monotone score.
      positive: bool `[N, K]`, which videos have which class.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(-scores, axis=0, kind="stable")
        ranked = np.take_along_axis(scores, self._order, axis=0)
        self._positive = np.take_along_axis(positive, self._order, axis=0)
        # The last position of each run of equal scores.
        ends = np.ones(scores.shape, bool)
        ends[:-1] = ranked[:-1] != ranked[1:]
        places = np.where(ends, np.arange(len(scores))[:, None], len(scores))
        self._last = np.minimum.accumulate(places[::-1], axis=0)[::-1]

    def average_precision(self, times: np.ndarray) -> np.ndarray:
        """Returns the average precision of each class on a sample, float64 `[K]`.

        Args:
          times: int `[N]`, how often each video is in the sample.
        """
        weights = times[self._order]
        own = weights * self._positive
        found, seen = np.cumsum(own, axis=0), np.cumsum(weights, axis=0)
        found_there, seen_there = (
            np.take_along_axis(counts, self._last, axis=0) for counts in (found, seen)
        )
        sums = np.sum(own * (found_there / np.maximum(seen_there, 1)), axis=0)
        total = found[-1]
        return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)


def average_precision(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Computes the average precision of each class, without interpolation.

    It is the sum over thresholds n of (R_n - R_(n-1)) P_n, like scikit-learn's
    `average_precision_score`. P_n and R_n are precision and recall of the videos whose score is at
    least the n-th highest distinct one. Videos with equal scores enter together, so their order
    does not matter.

    Args:
      scores: `[N, K]`, any monotone score.
      positive: bool `[N, K]`, which videos have which class.

    Returns:
      float64 `[K]`; NaN for a class that no video has.

    Examples:
      >>> import numpy as np
      >>> from vidjax.evaluation.average_precision import average_precision
      >>> scores = np.array([[0.9], [0.8], [0.1]])
      >>> average_precision(scores, np.array([[True], [False], [True]])).round(3).tolist()
      [0.833]
    """
    return Ranking(scores, positive).average_precision(np.ones(len(scores), int))


def mean_average_precision(precisions: np.ndarray) -> float:
    """Averages over the classes that at least one video has.

    Raises:
      ValueError: no video has a label.
    """
    known = precisions[~np.isnan(precisions)]
    if not known.size:
        raise ValueError("no video has a label; mean average precision is not defined")
    return float(known.mean())


def f1(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Computes micro and macro F1 at a probability of 0.5.

    Micro F1 counts all answers together. Macro F1 is the mean over classes that at least one video
    has. F1 is 0 if no answer is right.

    Args:
      scores: probabilities `[N, K]`.
      positive: bool `[N, K]`.
    """
    said = scores >= 0.5
    right, either = (said & positive).sum(axis=0), said.sum(axis=0) + positive.sum(axis=0)
    micro = 2 * right.sum() / max(either.sum(), 1)
    known = positive.any(axis=0)
    macro = np.mean(2 * right[known] / either[known]) if known.any() else 0.0
    return float(micro), float(macro)


def binary_cross_entropy(scores: np.ndarray, positive: np.ndarray) -> float:
    """Averages -log(p) of present classes and -log(1 - p) of absent ones over all answers.

    Args:
      scores: probabilities `[N, K]`. A probability of 0 counts as the smallest number it may stand
        for.
      positive: bool `[N, K]`.
    """
    least = np.where(positive, np.finfo(np.float32).tiny, _ROUNDING)
    answered = np.where(positive, scores, 1 - scores)
    return float(-np.log(np.maximum(answered, least)).mean())
