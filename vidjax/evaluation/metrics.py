"""Scores of a classifier from its probabilities: top-k, per class, confusion, loss."""

from __future__ import annotations

import numpy as np


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Fraction of rows whose label is among the k highest scores.

    A tie counts by chance's worst case: classes with a score equal to the label's stand before
    it, so that constant scores earn nothing.

    Args:
      scores: `[N, K]`, any monotone score.
      labels: int `[N]`.
      k: how many of the highest count.

    Raises:
      ValueError: there are no rows.
    """
    if len(labels) == 0:
        raise ValueError("top-k of no videos is not defined")
    return float(np.mean(ranks(scores, labels) < k))


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes stand before the label, those with an equal score among them.

    Args:
      scores: `[..., K]`, any monotone score.
      labels: int `[...]`, which may have axes of size 1 where `scores` has more.

    Returns:
      Int `[...]`.
    """
    own = np.take_along_axis(scores, labels[..., None], axis=-1)
    return np.asarray((scores >= own).sum(axis=-1) - 1)


def confusion(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts `[K, K]`: rows are the true classes, columns the predicted ones."""
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def per_class(matrix: np.ndarray) -> np.ndarray:
    """Accuracy of each class `[K]` from a confusion matrix; NaN for a class without videos."""
    totals = matrix.sum(axis=1)
    return np.divide(np.diag(matrix), totals, out=np.full(len(matrix), np.nan), where=totals > 0)


def mean_class(accuracies: np.ndarray) -> float:
    """Mean accuracy of the classes `[K]` that have videos; the others are NaN."""
    return float(np.nanmean(accuracies))


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over videos of -log(p), the natural logarithm, with p the label's probability.

    Args:
      scores: probabilities `[N, K]`. A 0 counts as the least normal number of float32, 1.2e-38,
        below which the networks' softmax has nothing.
      labels: int `[N]`.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    return float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())
