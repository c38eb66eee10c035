"""Nearest-neighbour classification of features, without any fitting.

Source: Wu, Xiong, Yu and Lin, Unsupervised Feature Learning via Non-Parametric Instance
Discrimination, CVPR 2018, section 3.4. The k training features with the highest cosine similarity s
vote for their classes with weights exp(s / temperature).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.evaluation.probe_result import ProbeResult, check_parts, summary
from vidjax.settings import check, number, whole

SETTINGS = {"k": whole(1, 2**31), "temperature": number(1e-3, 1e3)}
# Test features per block; the similarities of a block to all training features are in memory.
_BLOCK = 256


@dataclass(frozen=True)
class NearestNeighbours(ProbeResult):
    """Predictions of nearest neighbours.

    Attributes:
      k: number of neighbours that voted.
      temperature: temperature of the weights.
    """

    k: int
    temperature: float


def knn(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    k: int = 20,
    temperature: float = 0.07,
) -> NearestNeighbours:
    """Predicts the class of each test feature from its nearest training features.

    Args:
      train_features: `[N, C]`.
      train_labels: numbers or strings `[N]`.
      test_features: `[M, C]`.
      test_labels: `[M]`, only classes of the training part.
      k: number of neighbours that vote; all if there are fewer. The paper uses 200 of 1.3 million.
      temperature: the paper's 0.07. High temperatures make all votes equal.

    Raises:
      ValueError: as `check_parts`, or a setting is out of range.

    Examples:
      >>> import numpy as np
      >>> from vidjax.evaluation import knn
      >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
      >>> found = knn(features, ["a", "a", "b"], np.array([[1.0, 0.2]]), ["a"], k=2)
      >>> found.predicted.tolist(), found.top1
      (['a'], 1.0)
    """
    check({"k": k, "temperature": temperature}, SETTINGS)
    train, labels, test, truth = check_parts(
        train_features, train_labels, test_features, test_labels
    )
    k = min(k, len(train))
    classes, indices = np.unique(labels, return_inverse=True)
    train, test = _unit(train), _unit(test)
    blocks = range(0, len(test), _BLOCK)
    votes = [_votes(test[at : at + _BLOCK], train, k, temperature) for at in blocks]
    scores = np.zeros((len(test), len(classes)))
    for at, (nearest, weights) in zip(blocks, votes, strict=True):
        rows = at + np.arange(len(nearest))[:, None]
        np.add.at(scores, (rows, indices[nearest]), weights)
    found = summary(scores / scores.sum(axis=1, keepdims=True), classes, truth)
    return NearestNeighbours(**found, k=k, temperature=temperature)  # type: ignore[arg-type]


def _votes(
    test: np.ndarray, train: np.ndarray, k: int, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices `[m, k]` of the nearest, and their weights `[m, k]`, at most 1."""
    similarity = test @ train.T
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    found = np.take_along_axis(similarity, nearest, axis=1)
    # Only ratios of weights matter, so they are scaled to avoid overflow.
    return nearest, np.exp((found - found.max(axis=1, keepdims=True)) / temperature)


def _unit(features: np.ndarray) -> np.ndarray:
    """Normalises features to length 1. Zeros stay zeros and are similar to nothing."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
