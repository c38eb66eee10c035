"""Statistics whose unit is the seed: the paired t-test, and Holm's correction.

Runs with one seed share their videos, so thousands of test videos with a few seeds are not
thousands of independent observations. The t-test asks whether a difference would also appear with
other seeds on the same videos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def paired_p(differences: Sequence[float]) -> float:
    """Computes the two-sided p-value of the paired t-test over seeds.

    Args:
      differences: the row minus its reference, one value per seed.

    Returns:
      The p-value; NaN for fewer than two seeds, or if all seeds have the same difference.
    """
    # Equal differences of fractions may differ in the last digit.
    if len(differences) < 2 or np.ptp(differences) < 1e-12:
        return float("nan")
    error = float(np.std(differences, ddof=1)) / len(differences) ** 0.5
    statistic = abs(float(np.mean(differences))) / error
    return float(2 * stats.t.sf(statistic, len(differences) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number by Holm's step-down method.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal
    of Statistics 6, 1979.

    Args:
      p_values: p-values of all planned tests. NaN, a test without a result, counts as one of them
        and stays NaN, so that a correction does not become milder while runs are missing.
    """
    order = sorted(range(len(p_values)), key=lambda at: np.nan_to_num(p_values[at], nan=np.inf))
    corrected, largest = [float("nan")] * len(p_values), 0.0
    for rank, at in enumerate(order):
        if not np.isnan(p_values[at]):
            largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
            corrected[at] = largest
    return corrected
