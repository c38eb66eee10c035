"""Metrics of single-label classification: top-k, accuracy per class, confusion, loss."""

from __future__ import annotations

import numpy as np


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Returns the fraction of rows whose label is among the k highest scores.

    Ties count as the worst case: classes with the same score as the label come before it, so that
    constant scores earn nothing.

    Args:
      scores: `[N, K]`, any monotone score.
      labels: int `[N]`.
      k: number of highest scores that count.

    Raises:
      ValueError: there are no rows.

    Examples:
      >>> import numpy as np
      >>> from vidjax.evaluation.metrics import top_k
      >>> scores = np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
      >>> top_k(scores, np.array([1, 1]), k=1), top_k(scores, np.array([1, 1]), k=2)
      (0.5, 1.0)
    """
    if len(labels) == 0:
        raise ValueError("top-k of no videos is not defined")
    return float(np.mean(ranks(scores, labels) < k))


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how many classes come before the label, including those with an equal score.

    Args:
      scores: `[..., K]`, any monotone score.
      labels: int `[...]`; axes may have size 1 where `scores` has more.

    Returns:
      Int `[...]`.
    """
    own = np.take_along_axis(scores, labels[..., None], axis=-1)
    return np.asarray((scores >= own).sum(axis=-1) - 1)


def confusion(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts `[K, K]`: rows are true classes, columns are predicted classes."""
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def per_class(matrix: np.ndarray) -> np.ndarray:
    """Returns each class's accuracy `[K]` from a confusion matrix; NaN without videos."""
    totals = matrix.sum(axis=1)
    return np.divide(np.diag(matrix), totals, out=np.full(len(matrix), np.nan), where=totals > 0)


def mean_class(accuracies: np.ndarray) -> float:
    """Returns the mean accuracy of the classes `[K]` with videos; the others are NaN."""
    return float(np.nanmean(accuracies))


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean over videos of -log(p), where p is the label's probability.

    Args:
      scores: probabilities `[N, K]`. A 0 counts as the smallest normal number of float32, 1.2e-38,
        which is the smallest value of the networks' softmax.
      labels: int `[N]`.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    return float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())
