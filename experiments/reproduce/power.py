"""Statistical power: the smallest difference that a number of seeds and test videos can show.

The variances of the difference are estimated from finished runs.
"""

from __future__ import annotations

from scipy import optimize, stats

from .variance_components import Components

POWER, ALPHA = 0.8, 0.05


def detectable(variances: Components, seeds: int, videos: float) -> float:
    """Returns the smallest true difference that a test detects with a probability of 80 %.

    The test is a two-sided t-test at the level 0.05, with one degree of freedom less than seeds,
    for a difference on other seeds and other videos. A significant difference in the wrong
    direction does not count as detected.

    Args:
      variances: variances of the difference.
      seeds: number of seeds, two or more.
      videos: number of test videos; may be infinite.
    """
    freedom = seeds - 1
    limit = stats.t.ppf(1 - ALPHA / 2, freedom)

    def missing(shift: float) -> float:
        return float(stats.nct.sf(limit, freedom, shift)) - POWER

    return float(optimize.brentq(missing, 0, 2 * limit)) * variances.error(seeds, videos)
