"""The mean over seeds and its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds; `half` is half the width of its 95 % interval, NaN for a single seed."""

    mean: float
    half: float


def interval(values: Sequence[float]) -> Interval:
    """Computes the mean and the Student-t interval of a few values; NaN if there are too few."""
    count = len(values)
    if count < 2:
        return Interval(values[0] if values else float("nan"), float("nan"))
    error = float(np.std(values, ddof=1)) / count**0.5
    return Interval(float(np.mean(values)), float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error)
