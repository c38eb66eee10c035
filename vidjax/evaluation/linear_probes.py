"""Linear probe: logistic regression on frozen features.

It is the common measure of feature quality (Alain and Bengio, Understanding intermediate layers
using linear classifier probes, 2016).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from vidjax.evaluation.probe_result import ProbeResult, check_parts, summary

# Inverse strengths of regularisation to try. Networks have many features, so strong regularisation
# is the usual choice.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 5
_STEPS = 5000
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LinearProbe(ProbeResult):
    """Predictions of a linear probe.

    Attributes:
      c: inverse strength of regularisation that cross-validation chose.
      validated: top-1 of cross-validation with it; NaN if there was no choice.
    """

    c: float
    validated: float


def linear_probe(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> LinearProbe:
    """Fits logistic regression to the training features and predicts the test features.

    Each feature is standardised by the mean and standard deviation of the fitted part. C is chosen
    by 5-fold cross-validation on the training part, by top-1. The test part is not used for this.

    Args:
      train_features: `[N, C]`.
      train_labels: numbers or strings `[N]`.
      test_features: `[M, C]`.
      test_labels: `[M]`, only classes of the training part.
      groups: group of each training feature `[N]`, such as a person or a source. A group is never
        in both parts of a fold. None draws folds by class.
      strengths: values of C to choose from. A single value is used without cross-validation.
      seed: seed of the folds.

    Raises:
      ValueError: as `check_parts`, or the folds cannot be made.

    Examples:
      >>> import numpy as np
      >>> from vidjax.evaluation import linear_probe
      >>> features, labels = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
      >>> found = linear_probe(features, labels, np.array([[-3.0], [3.0]]), [0, 1], strengths=[1.0])
      >>> found.top1, found.predicted.tolist()
      (1.0, [0, 1])
    """
    train, labels, test, truth = check_parts(
        train_features, train_labels, test_features, test_labels
    )
    c, validated = float(strengths[0]), float("nan")
    if len(strengths) > 1:
        folds = list(_folds(train, labels, groups, seed))
        if not folds:
            raise ValueError(
                "cross-validation needs a class with features in two groups; give one value of C"
            )
        c, validated = _chosen(train, labels, folds, sorted(strengths))
    ((classes, scores),) = _path(train, labels, test, [c])
    return LinearProbe(**summary(scores, classes, truth), c=c, validated=validated)  # type: ignore[arg-type]


def _chosen(
    features: np.ndarray, labels: np.ndarray, folds: Sequence[Fold], strengths: Sequence[float]
) -> tuple[float, float]:
    """Returns the C with the highest top-1 over all folds (the smallest on ties), and that top-1.

    Args:
      features: `[N, C]`.
      labels: `[N]`.
      folds: rows to fit and rows to score.
      strengths: values of C, ascending.
    """
    right = np.zeros(len(strengths))
    for fitted, scored in folds:
        path = _path(features[fitted], labels[fitted], features[scored], strengths)
        for place, (classes, scores) in enumerate(path):
            right[place] += np.sum(classes[scores.argmax(axis=1)] == labels[scored])
    best = int(right.argmax())
    return float(strengths[best]), float(right[best] / sum(len(scored) for _, scored in folds))


def _path(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, strengths: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields classes `[K]` and probabilities `[M, K]` for each value of C; fast if they ascend."""
    scale = StandardScaler().fit(train)
    train, test = scale.transform(train), scale.transform(test)
    # Regularised weights lie in the span of the training features. With fewer rows than features, a
    # rotation to this smaller space gives the same solution faster.
    if len(train) < train.shape[1]:
        axes = np.linalg.svd(train, full_matrices=False)[2]
        train, test = train @ axes.T, test @ axes.T
    classifier = LogisticRegression(max_iter=_STEPS, warm_start=True)
    for strength in strengths:
        classifier.set_params(C=strength).fit(train, labels)
        yield classifier.classes_, classifier.predict_proba(test)


def _folds(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, seed: int
) -> Iterator[Fold]:
    """Yields rows to fit and rows to score.

    Raises:
      ValueError: a class has too few rows, or there are too few groups.
    """
    counts = np.unique(labels, return_counts=True)[1]
    if groups is None:
        folds = min(_FOLDS, int(counts.min()))
        if folds < 2:
            raise ValueError(
                "a class has only one training feature, too few to choose C; give one value of C"
            )
        drawn = StratifiedKFold(folds, shuffle=True, random_state=seed)
        yield from drawn.split(features, labels)
        return
    groups = np.asarray(groups)
    if groups.shape != labels.shape:
        raise ValueError(
            f"groups have shape {list(groups.shape)}, but labels have {list(labels.shape)}"
        )
    folds = min(_FOLDS, len(np.unique(groups)), int(counts.max()))
    if folds < 2:
        raise ValueError("all training features belong to one group; give one value of C")
    by_group = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with few rows may be absent from some folds, which groups allow anyway.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fitted, scored in by_group.split(features, labels, groups):
            # A class with all its rows in one group cannot be predicted.
            known = np.isin(labels[scored], labels[fitted])
            if len(np.unique(labels[fitted])) > 1 and known.any():
                yield fitted, scored[known]
