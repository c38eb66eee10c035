"""Statistical power: the difference that a number of seeds and of test videos can show.

The difference of two networks varies with the seed, with the test video, and with both together.
The variances are estimated from finished runs, whose seeds all see the same videos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

POWER, ALPHA = 0.8, 0.05


@dataclass(frozen=True)
class Components:
    """Variances of the difference on one video with one seed, right or wrong counted as 1 or 0.

    Attributes:
      seeds: variance between seeds.
      videos: variance between videos.
      rest: variance of a seed on a video, beyond the two.
    """

    seeds: float
    videos: float
    rest: float

    def error(self, seeds: int, videos: float) -> float:
        """Returns the standard error of a mean over so many seeds and videos."""
        variance = self.seeds / seeds + self.videos / videos + self.rest / (seeds * videos)
        return float(variance**0.5)


def components(differences: np.ndarray) -> Components:
    """Estimates the variances by a two-way analysis of variance with random effects.

    Estimates below zero, which small samples give, become zero.

    Args:
      differences: `[seeds, videos]`, two or more of each: 1 if only the row is right, -1 if only
        its reference is, or 0.

    Raises:
      ValueError: there are fewer than two seeds or videos.
    """
    seeds, videos = differences.shape
    if min(seeds, videos) < 2:
        raise ValueError(f"{seeds} seeds and {videos} videos: variances need two or more of each")
    of_seeds, of_videos = differences.mean(1), differences.mean(0)
    left = differences - of_seeds[:, None] - of_videos + differences.mean()
    rest = float((left**2).sum()) / ((seeds - 1) * (videos - 1))
    return Components(
        max(0.0, float(np.var(of_seeds, ddof=1)) - rest / videos),
        max(0.0, float(np.var(of_videos, ddof=1)) - rest / seeds),
        rest,
    )


def detectable(variances: Components, seeds: int, videos: float) -> float:
    """Returns the smallest true difference that a test finds with a chance of 80 %.

    The test is a two-sided t-test at 0.05 with one degree of freedom less than seeds, for a
    difference on other seeds and other videos. A finding in the wrong direction does not count.

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
