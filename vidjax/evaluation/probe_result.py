"""Results of probes: how well features separate the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidjax.evaluation import metrics
from vidjax.settings import shown


@dataclass(frozen=True)
class ProbeResult:
    """Predictions for M test features.

    Attributes:
      top1: share whose class is the most likely one.
      top5: share whose class is among the five most likely, or among all if there are fewer.
      predicted: labels `[M]`.
      scores: float64 `[M, K]`; rows sum to 1.
      classes: labels `[K]` of the training part, sorted, in the order of the scores.
    """

    top1: float
    top5: float
    predicted: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    @property
    def chance(self) -> float:
        """Top-1 of random guessing with equally likely classes."""
        return 1 / len(self.classes)


def summary(scores: np.ndarray, classes: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """Computes the fields of `ProbeResult`.

    Args:
      scores: `[M, K]`.
      classes: labels `[K]`, sorted.
      labels: true labels `[M]`, all among the classes.
    """
    truth = np.searchsorted(classes, labels)
    return {
        "top1": metrics.top_k(scores, truth, 1),
        "top5": metrics.top_k(scores, truth, 5),
        "predicted": classes[scores.argmax(axis=1)],
        "scores": scores,
        "classes": classes,
    }


def check_parts(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Checks the training and the test part and returns them as arrays, features as float64.

    Raises:
      ValueError: shapes do not fit, features are not finite or all equal, there is only one class,
        or the test part has a class that the training part lacks.
    """
    train, test = (np.asarray(each, np.float64) for each in (train_features, test_features))
    labels, truth = np.asarray(train_labels), np.asarray(test_labels)
    for name, features, own in (("training", train, labels), ("test", test, truth)):
        _check_part(name, features, own)
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            f"training features have {train.shape[1]} dimensions, test features {test.shape[1]}: "
            "take both from the same network and layer"
        )
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"the training part has only one class, {shown(classes[0].item())}")
    if not np.ptp(train, axis=0).any():
        raise ValueError("the training features are all equal")
    unseen = sorted(set(truth.tolist()) - set(classes.tolist()))
    if unseen:
        raise ValueError(
            f"the test part has the class {shown(unseen[0])}, which the training part lacks "
            f"({len(unseen)} such classes): add training videos, or remove those test videos"
        )
    return train, labels, test, truth


def _check_part(name: str, features: np.ndarray, labels: np.ndarray) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1] or not features.size:
        raise ValueError(
            f"{name} features have shape {list(features.shape)} and labels {list(labels.shape)}: "
            "pass [N, C] and [N]"
        )
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{name} features are not finite in {len(wrong)} rows; the first is row {wrong[0]}"
        )
