"""Statistics whose unit is the seed: paired t-tests, Holm's correction, and a bootstrap.

Runs with one seed share videos, so that thousands of test videos of a few seeds are not thousands
of independent observations. The t-test asks whether a difference would show with other seeds on the
same videos. The bootstrap draws seeds and videos, and so covers other videos, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..runs.statistics import LEVEL, Interval

DRAWS = 2000


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


def bootstrap(differences: np.ndarray, seed: int = 0) -> Interval:
    """Computes the 95 % interval of a mean difference over other seeds and other videos.

    Each draw takes seeds with replacement, and videos with replacement; all seeds of a draw have
    the same videos, as all runs have. Half the width is the standard deviation of the draws times
    the Student-t quantile for the number of seeds. Draws of n seeds vary (n - 1)/n as much as n new
    seeds do, which is corrected. (A. Owen, The pigeonhole bootstrap, Annals of Applied Statistics
    1, 2007, shows that such draws do not vary less than the data.)

    Args:
      differences: `[seeds, videos]`, 1 if only the row is right, -1 if only its reference is, or 0.
      seed: seed of the draws.
    """
    seeds, videos = differences.shape
    mean = float(differences.mean())
    if seeds < 2:
        return Interval(mean, float("nan"))
    generator = np.random.default_rng(seed)
    of_seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), DRAWS) / seeds
    by_video = of_seeds @ differences
    means = [each[generator.integers(videos, size=videos)].mean(dtype=float) for each in by_video]
    spread = float(np.std(means)) * (seeds / (seeds - 1)) ** 0.5
    return Interval(mean, float(stats.t.ppf((1 + LEVEL) / 2, seeds - 1)) * spread)
