"""A mixed model of differences: variances between seeds, between videos, and of the rest.

The difference between two networks on a video is 1 if only one is right, -1 if only the other is,
and 0 otherwise. It varies with the seed, with the test video, and with both together. All seeds see
the same videos. With the standard error of all three variances, a mean difference is a statement
about other seeds and other videos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..runs.statistics import LEVEL, Interval


@dataclass(frozen=True)
class Components:
    """Variances of the difference on one video with one seed.

    Attributes:
      seeds: variance between seeds.
      videos: variance between videos.
      rest: variance of a seed on a video, beyond the two.
    """

    seeds: float
    videos: float
    rest: float

    def error(self, seeds: int, videos: float) -> float:
        """Returns the standard error of a mean over a number of seeds and videos."""
        variance = self.seeds / seeds + self.videos / videos + self.rest / (seeds * videos)
        return float(variance**0.5)


def components(differences: np.ndarray) -> Components:
    """Estimates the variances by a two-way analysis of variance with random effects.

    Estimates below zero, which small samples give, become zero.

    Args:
      differences: `[seeds, videos]`, two or more of each.

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


def over_videos(differences: np.ndarray) -> Interval:
    """Computes the 95 % interval of a mean difference on other seeds and other videos.

    Half its width is the standard error of the mixed model times the Student-t quantile for the
    number of seeds. If videos do not differ, it is the interval of the paired t-test over seeds. A
    bootstrap that draws seeds and videos would be wider than needed: it counts the variance that is
    left up to three times (A. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1,
    2007).

    Args:
      differences: `[seeds, videos]`.

    Returns:
      The interval; half its width is NaN for fewer than two seeds or videos.
    """
    mean = float(differences.mean()) if differences.size else float("nan")
    seeds, videos = differences.shape
    if min(seeds, videos) < 2:
        return Interval(mean, float("nan"))
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, seeds - 1))
    return Interval(mean, quantile * components(differences).error(seeds, videos))
