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
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from vidjax.evaluation.probed import Probed, check_parts, summary

# Inverse strengths of regularisation that are tried. Standardised features of networks are many:
# strong regularisation is the usual choice.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_FOLDS = 5
_STEPS = 5000


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
    fit = Pipeline(
        [("scale", StandardScaler()), ("classify", LogisticRegression(max_iter=_STEPS))]
    ).set_params(classify__C=strengths[0])
    c, validated = float(strengths[0]), float("nan")
    if len(strengths) > 1:
        folds = list(_folds(train, labels, groups, seed))
        if not folds:
            raise ValueError("each class has its features in one group; give one value of C")
        search = GridSearchCV(fit, {"classify__C": list(strengths)}, cv=folds, error_score="raise")
        search.fit(train, labels)
        fit = search.best_estimator_
        c, validated = float(search.best_params_["classify__C"]), float(search.best_score_)
    else:
        fit.fit(train, labels)
    found = summary(fit.predict_proba(test), fit.classes_, truth)
    return LinearProbe(**found, c=c, validated=validated)  # type: ignore[arg-type]


def _folds(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
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
