"""Measures whether a network relies more on high or on low frequencies, as one number.

Source: RMS paper, figures 1 and 4, which show curves; the number is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidjax.explain.frequency import Point


def relative(points: Sequence[Point]) -> dict[tuple[str, float], float]:
    """Returns accuracies relative to that of the unchanged network, by part and scale.

    Args:
      points: the points of one run.

    Raises:
      ValueError: the points lack scale 1, or the unchanged network is never right.
    """
    unchanged = {point.top1 for point in points if point.scale == 1}
    if not unchanged:
        raise ValueError("accuracies relative to scale 1 need points of scale 1")
    (whole,) = unchanged
    if not whole:
        raise ValueError(f"{points[0].run} is never right, so relative accuracies do not exist")
    return {(point.part, point.scale): point.top1 / whole for point in points}


def reliance(points: Sequence[Point]) -> float:
    """Computes how much more a network relies on high than on low frequencies.

    It is the accuracy that is left when low frequencies are scaled minus the accuracy that is left
    when high frequencies are scaled. Both are relative to the unchanged network and averaged over
    the scales other than 1.

    Args:
      points: the points of one run.

    Returns:
      A number from about -1 (only low frequencies matter) to 1 (only high frequencies matter).

    Raises:
      ValueError: as in `relative`, or there is no other scale than 1.

    Examples:
      >>> curves = {"low": (0.8, 0.8, 0.8), "high": (0.2, 0.8, 0.4)}
      >>> points = [
      ...     Point("a", part, scale, top1, int(10 * top1), 10)
      ...     for part, accuracies in curves.items()
      ...     for scale, top1 in zip((0.0, 1.0, 2.0), accuracies)
      ... ]
      >>> round(reliance(points), 3)
      0.625
    """
    found = relative(points)
    scales = sorted({scale for _, scale in found if scale != 1})
    if not scales:
        raise ValueError("reliance needs other scales than 1")
    return float(np.mean([found["low", scale] - found["high", scale] for scale in scales]))
