"""Tests how much a network relies on high frequencies against sums computed by hand."""

import numpy as np
import pytest

from vidjax.explain.frequency import Point
from vidjax.explain.reliance import relative, reliance

SCALES = (0.0, 0.5, 1.0, 1.5)


def curves(low, high, videos=20):
    return [
        Point("a", part, scale, correct / videos, correct, videos)
        for part, counts in {"low": low, "high": high}.items()
        for scale, correct in zip(SCALES, counts, strict=True)
    ]


def test_accuracies_are_relative_to_scale_1():
    found = relative(curves((4, 8, 10, 12), (1, 5, 10, 3)))
    assert found["low", 1.0] == found["high", 1.0] == 1
    assert found["low", 0.0] == pytest.approx(0.4)
    assert found["high", 1.5] == pytest.approx(0.3)


def test_reliance_is_the_mean_difference_over_the_other_scales():
    low, high = np.array((4, 8, 12)), np.array((1, 5, 3))
    expected = np.mean((low - high) / 10)
    assert reliance(curves((4, 8, 10, 12), (1, 5, 10, 3))) == pytest.approx(expected)
    swapped = reliance(curves((1, 5, 10, 3), (4, 8, 10, 12)))
    assert swapped == pytest.approx(-expected)


def test_a_network_that_uses_one_part_only_has_extreme_reliance():
    assert reliance(curves((10, 10, 10, 10), (0, 0, 10, 0))) == 1


def test_curves_without_scale_1_or_without_accuracy_are_refused():
    points = curves((4, 8, 10, 12), (1, 5, 10, 3))
    with pytest.raises(ValueError, match="scale 1"):
        reliance([point for point in points if point.scale != 1])
    with pytest.raises(ValueError, match="other scales than 1"):
        reliance([point for point in points if point.scale == 1])
    with pytest.raises(ValueError, match="never right"):
        reliance(curves((1, 1, 0, 1), (1, 1, 0, 1)))
