"""Tests statistics over seeds against SciPy, computations by hand, and simulated data."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments.reproduce.power import detectable
from experiments.reproduce.variance_components import Components, components, over_videos
from experiments.runs.seed_statistics import holm, paired_p


def test_the_p_value_is_that_of_scipys_paired_test():
    generator = np.random.default_rng(0)
    for seeds in (2, 3, 5, 10):
        row, reference = generator.normal(0.6, 0.1, (2, seeds))
        expected = stats.ttest_rel(row, reference).pvalue
        assert paired_p(row - reference) == pytest.approx(expected)
    assert math.isnan(paired_p([0.1]))
    assert math.isnan(paired_p([0.1, 0.1, 0.1]))


def closed(p_values):
    """Computes Holm's p-values by closure: the largest Bonferroni p of all sets with a test."""
    tests = range(len(p_values))
    sets = [chosen for count in tests for chosen in itertools.combinations(tests, count + 1)]
    return [
        max(
            min(1, len(chosen) * min(p_values[each] for each in chosen))
            for chosen in sets
            if test in chosen
        )
        for test in tests
    ]


def test_holms_correction_equals_closed_bonferroni_tests():
    # Four p-values and their corrections from a textbook.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    generator = np.random.default_rng(1)
    for count in range(1, 7):
        p_values = generator.uniform(0, 0.3, count)
        assert holm(p_values) == pytest.approx(closed(p_values))


def test_a_planned_test_without_a_result_counts():
    nan = float("nan")
    found = holm([nan, 0.01, 0.02])
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([0.03, 0.04])


def simulated(generator, seeds, videos, difference, of_seeds, of_videos):
    """Simulates differences of -1, 0 and 1 whose probabilities vary with the seed and the video."""
    shift = difference + generator.normal(0, of_seeds, (seeds, 1))
    shift = shift + generator.normal(0, of_videos, (1, videos))
    throws = generator.uniform(size=(seeds, videos))
    # A third of the videos differ; the row's share of correct ones among them depends on the shift.
    up = np.clip(0.15 + shift / 2, 0, 1)
    down = np.clip(0.15 - shift / 2, 0, 1)
    return np.where(throws < up, 1.0, np.where(throws > 1 - down, -1.0, 0.0))


def covered(interval, truth):
    return abs(interval.mean - truth) <= interval.half


def test_the_interval_covers_other_seeds_and_other_videos():
    generator = np.random.default_rng(2)
    hits, draws = np.zeros(2), 600
    for _ in range(draws):
        data = simulated(generator, 5, 150, 0.05, of_seeds=0.02, of_videos=0.12)
        of_seeds = data.mean(1)
        half = stats.sem(of_seeds) * stats.t.ppf(0.975, 4)
        hits += [covered(over_videos(data), 0.05), abs(of_seeds.mean() - 0.05) <= half]
    ours, over_seeds = hits / draws
    # Three standard errors of a share of 95 %.
    assert ours > 0.95 - 3 * (0.95 * 0.05 / draws) ** 0.5
    # An interval over seeds alone ignores other videos, and misses more often.
    assert over_seeds < ours


def test_the_interval_equals_the_paired_test_if_videos_do_not_differ():
    generator = np.random.default_rng(3)
    # Videos differ less than by chance, so their variance is estimated as zero.
    rows = [generator.permutation([1.0, 0.0, 0.0, -1.0] * 50) for _ in range(6)]
    data = np.array(rows)
    data -= data.mean(0)
    data += np.linspace(-0.1, 0.2, 6)[:, None]
    assert components(data).videos == 0
    low, high = stats.t.interval(0.95, 5, loc=data.mean(), scale=stats.sem(data.mean(1)))
    found = over_videos(data)
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.half == pytest.approx((high - low) / 2)
    assert math.isnan(over_videos(data[:1]).half)


def test_variances_are_recovered_from_simulated_data():
    generator = np.random.default_rng(4)
    found = []
    for _ in range(200):
        data = generator.normal(0, 0.4, (8, 300))
        data += generator.normal(0, 0.1, (8, 1)) + generator.normal(0, 0.3, (1, 300))
        each = components(data)
        found.append((each.seeds, each.videos, each.rest))
    assert np.mean(found, axis=0) == pytest.approx([0.01, 0.09, 0.16], rel=0.15)
    with pytest.raises(ValueError, match="1 seeds and 300 videos"):
        components(np.zeros((1, 300)))


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_detectable_difference_is_detected_in_80_percent_of_simulations(seeds):
    # All videos are equal, so a test over seeds also covers other videos.
    variances = Components(seeds=0.0004, videos=0.0, rest=0.1)
    difference = detectable(variances, seeds, 500)
    generator = np.random.default_rng(5)
    spread = (variances.seeds + variances.rest / 500) ** 0.5
    values = generator.normal(difference, spread, (20_000, seeds))
    found = stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_more_seeds_and_videos_detect_smaller_differences():
    variances = Components(seeds=0.0004, videos=0.01, rest=0.1)
    by_seeds = [detectable(variances, seeds, 500) for seeds in (2, 3, 5, 10, 20)]
    by_videos = [detectable(variances, 5, videos) for videos in (100, 500, 2000, math.inf)]
    for values in (by_seeds, by_videos):
        assert values == sorted(values, reverse=True)
    # With infinitely many videos, only the variance of seeds remains.
    only = Components(variances.seeds, 0.0, 0.0)
    assert by_videos[-1] == pytest.approx(detectable(only, 5, 1))
