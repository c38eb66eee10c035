"""Linear probe: logistic regression on features that stay as they are.

The common measure of how good features are (Alain and Bengio, Understanding intermediate layers
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

from vidjax.evaluation.probe_result import Probed, check_parts, summary

# Inverse strengths of regularisation that are tried. Standardised features of networks are many:
# strong regularisation is the usual choice.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 5
_STEPS = 5000
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class LinearProbe(Probed):
    """Predictions of a linear probe.

    Attributes:
      c: inverse strength of regularisation, as cross-validation has chosen it.
      validated: top-1 of cross-validation with it; NaN where there was no choice.
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
    """Fits logistic regression to the training part and predicts the test part.

    Each feature is standardised by the mean and deviation of what is fitted to. C is chosen by
    5-fold cross-validation within the training part, by its top-1; the test part has no say.

    Args:
      train_features: `[N, C]`.
      train_labels: numbers or texts `[N]`.
      test_features: `[M, C]`.
      test_labels: `[M]`, of the training part's classes.
      groups: of the training part `[N]`: persons or sources. One group is never in both parts of
        a fold. None draws folds by class.
      strengths: values of C to choose from; one value is taken without cross-validation.
      seed: draws the folds.

    Raises:
      ValueError: as `check_parts`; or the folds cannot be made.
    """
    train, labels, test, truth = check_parts(
        train_features, train_labels, test_features, test_labels
    )
    c, validated = float(strengths[0]), float("nan")
    if len(strengths) > 1:
        folds = list(_folds(train, labels, groups, seed))
        if not folds:
            raise ValueError("each class has its features in one group; give one value of C")
        c, validated = _chosen(train, labels, folds, sorted(strengths))
    ((classes, scores),) = _path(train, labels, test, [c])
    return LinearProbe(**summary(scores, classes, truth), c=c, validated=validated)  # type: ignore[arg-type]


def _chosen(
    features: np.ndarray, labels: np.ndarray, folds: Sequence[Fold], strengths: Sequence[float]
) -> tuple[float, float]:
    """The value of C with the highest top-1 over all folds, the smallest of equal ones; and that.

    Args:
      features: `[N, C]`.
      labels: `[N]`.
      folds: rows to fit to and rows to score.
      strengths: values of C, rising.
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
    """Classes `[K]`, and probabilities `[M, K]`, for each value of C; rising ones are quick."""
    scale = StandardScaler().fit(train)
    train, test = scale.transform(train), scale.transform(test)
    # Weights of least length lie in the span of the training features. Within it the solution is
    # the same in any axes, of which there are fewer than features where rows are few.
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
    """Rows to fit to and rows to score.

    Raises:
      ValueError: there are too few rows of a class, or too few groups.
    """
    counts = np.unique(labels, return_counts=True)[1]
    if groups is None:
        folds = min(_FOLDS, int(counts.min()))
        if folds < 2:
            raise ValueError(
                "a class has one training feature: none is left to choose C by; give one value of C"
            )
        drawn = StratifiedKFold(folds, shuffle=True, random_state=seed)
        yield from drawn.split(features, labels)
        return
    groups = np.asarray(groups)
    if groups.shape != labels.shape:
        raise ValueError(f"{list(groups.shape)} groups beside {list(labels.shape)} labels")
    folds = min(_FOLDS, len(np.unique(groups)), int(counts.max()))
    if folds < 2:
        raise ValueError("all training features are of one group; give one value of C")
    by_group = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class of few rows is absent from some folds, as groups may have it anyway.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fitted, scored in by_group.split(features, labels, groups):
            # A class may have all its rows in one group: nothing could predict it.
            known = np.isin(labels[scored], labels[fitted])
            if len(np.unique(labels[fitted])) > 1 and known.any():
                yield fitted, scored[known]
