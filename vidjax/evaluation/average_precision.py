"""Scores of a classifier that says yes or no to each class: average precision, F1, loss."""

from __future__ import annotations

import numpy as np

# Of a probability in float32 that is rounded to 1, what is left may be up to this.
_ROUNDING = 2.0**-25


class Ranking:
    """The videos of each class by falling score, for average precisions of samples of them.

    Args:
      scores: `[N, K]`, any monotone score.
      positive: bool `[N, K]`, which videos have which class.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(-scores, axis=0, kind="stable")
        ranked = np.take_along_axis(scores, self._order, axis=0)
        self._positive = np.take_along_axis(positive, self._order, axis=0)
        # Where the last of equal scores stands.
        ends = np.ones(scores.shape, bool)
        ends[:-1] = ranked[:-1] != ranked[1:]
        places = np.where(ends, np.arange(len(scores))[:, None], len(scores))
        self._last = np.minimum.accumulate(places[::-1], axis=0)[::-1]

    def average_precision(self, times: np.ndarray) -> np.ndarray:
        """Average precision float64 `[K]`, as the function of this name.

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
    """Average precision of each class, not interpolated.

    The sum over thresholds n of (R_n - R_(n-1)) P_n, with precision P and recall R of the videos
    whose score is at least the n-th highest distinct one, as scikit-learn's
    `average_precision_score`. Videos of equal scores come in together, so that their order is no
    matter.

    Args:
      scores: `[N, K]`, any monotone score.
      positive: bool `[N, K]`, which videos have which class.

    Returns:
      float64 `[K]`; NaN for a class that no video has.
    """
    return Ranking(scores, positive).average_precision(np.ones(len(scores), int))


def mean_average_precision(precisions: np.ndarray) -> float:
    """The mean over the classes that some video has.

    Raises:
      ValueError: no video has any.
    """
    known = precisions[~np.isnan(precisions)]
    if not known.size:
        raise ValueError("no video has a label; mean average precision is not defined")
    return float(known.mean())


def f1(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """F1 of the answers at a probability of 0.5: of all of them, and the mean over classes.

    The mean is over the classes that some video has. 0 where no answer is right.

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
    """Mean over videos and classes of -log(p) of a class that is there, -log(1 - p) of others.

    Args:
      scores: probabilities `[N, K]`; the logarithm of a 0 is that of the least number it may
        stand for.
      positive: bool `[N, K]`.
    """
    least = np.where(positive, np.finfo(np.float32).tiny, _ROUNDING)
    answered = np.where(positive, scores, 1 - scores)
    return float(-np.log(np.maximum(answered, least)).mean())
