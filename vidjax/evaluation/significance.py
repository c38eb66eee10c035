"""Whether two classifiers differ on the same videos by more than chance: McNemar's test.

Thesis, section 6.4.5: with b the videos that only the first has right and c those that only the
second has, Edwards' statistic is (|b - c| - 1)^2 / (b + c), chi-squared with one degree of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

SMALL = 25


@dataclass(frozen=True)
class McNemar:
    """The test's outcome.

    Attributes:
      b: videos that only the first classifier has right.
      c: videos that only the second has right.
      statistic: Edwards' chi-squared; 0 where b + c is 0.
      p_value: chance of a difference as large if both were equally good: from the statistic, or
        from the binomial distribution where `exact`.
      both: videos that both have right.
      neither: videos that neither has right.
      exact: whether `p_value` is the binomial one.
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
    """Compares two classifiers on the same videos.

    Args:
      correct_a: for each video, whether the first classifier has it right.
      correct_b: the same of the second, in the same order.
      exact: take the binomial distribution instead of the chi-squared; None takes it where
        fewer than 25 videos decide (b + c).

    Raises:
      ValueError: the lists differ in length or are empty.
    """
    a, b = (np.asarray(correct, bool) for correct in (correct_a, correct_b))
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(
            f"two lists must say of the same videos whether they are right, not {a.shape} and "
            f"{b.shape}"
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
    """(|b - c| - 1)^2 / (b + c); where b = c the correction would overshoot and is left out."""
    return max(abs(b - c) - 1, 0) ** 2 / (b + c) if b + c else 0.0
