"""McNemar's test: whether two classifiers differ significantly on the same videos.

Source: thesis, section 6.4.5. Let b be the videos that only the first classifier has right, and c
those that only the second has right. Edwards' statistic is (|b - c| - 1)^2 / (b + c), chi-squared
with one degree of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

SMALL = 25


@dataclass(frozen=True)
class McNemar:
    """Result of the test.

    Attributes:
      b: number of videos that only the first classifier has right.
      c: number of videos that only the second has right.
      statistic: Edwards' chi-squared; 0 if b + c is 0.
      p_value: probability of a difference at least as large if both were equally good, from the
        statistic, or from the binomial distribution if `exact`.
      both: number of videos that both have right.
      neither: number of videos that neither has right.
      exact: whether `p_value` comes from the binomial distribution.
    """

    b: int
    c: int
    statistic: float
    p_value: float
    both: int = 0
    neither: int = 0
    exact: bool = False


def mcnemar(
    correct_a: Sequence[bool] | np.ndarray,
    correct_b: Sequence[bool] | np.ndarray,
    *,
    exact: bool | None = None,
) -> McNemar:
    """Compares two classifiers on the same videos with McNemar's test.

    Args:
      correct_a: for each video, whether the first classifier has it right.
      correct_b: the same for the second classifier, in the same order.
      exact: use the binomial distribution instead of the chi-squared one. None uses it if fewer
        than 25 videos differ (b + c).

    Raises:
      ValueError: the lists have different lengths or are empty.

    Examples:
      >>> from vidjax.evaluation import mcnemar
      >>> found = mcnemar([True, True, False, True], [True, False, False, False])
      >>> found.b, found.c, found.p_value
      (2, 0, 0.5)
    """
    a, b = (np.asarray(correct, bool) for correct in (correct_a, correct_b))
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(
            f"correct_a and correct_b have shapes {a.shape} and {b.shape}: pass two lists of the "
            "same length, one entry per video"
        )
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    exact = only_a + only_b < SMALL if exact is None else exact
    statistic = edwards(only_a, only_b)
    if exact:
        p = min(1.0, 2 * special.bdtr(min(only_a, only_b), only_a + only_b, 0.5))
    else:
        p = special.chdtrc(1, statistic)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    return McNemar(only_a, only_b, statistic, float(p), both, neither, exact)


def edwards(b: int, c: int) -> float:
    """Computes (|b - c| - 1)^2 / (b + c); 0 if b = c, where the correction would overshoot."""
    return max(abs(b - c) - 1, 0) ** 2 / (b + c) if b + c else 0.0
