import math

import numpy as np
import pytest

import vidjax.evaluation
from vidjax.evaluation.significance import McNemar, edwards, mcnemar

# The thesis' tables 6.6a to g: discordant counts, chi-squared and p as printed.
PRINTED = [
    (659, 576, 5.445, 1.96e-2),
    (654, 557, 7.610, 5.80e-3),
    (703, 527, 24.898, 6.0e-7),
    (473, 134, 188.211, 7.8e-43),
    (878, 707, 18.233, 1.95e-5),
    (678, 538, 15.889, 6.7e-5),
    (614, 496, 12.332, 4.45e-4),
]


def lists(b, c, both=3, neither=2):
    a = [True] * b + [False] * c + [True] * both + [False] * neither
    return a, [False] * b + [True] * c + [True] * both + [False] * neither


@pytest.mark.parametrize(("b", "c", "statistic", "p"), PRINTED)
def test_counts_of_the_thesis_tables_give_the_printed_results(b, c, statistic, p):
    result = mcnemar(*lists(b, c))
    assert (result.b, result.c, result.both, result.neither) == (b, c, 3, 2)
    assert result.statistic == pytest.approx(statistic, abs=5e-4)
    assert result.p_value == pytest.approx(p, rel=1e-2)
    assert result.p_value == pytest.approx(math.erfc(math.sqrt(result.statistic / 2)), rel=1e-9)
    assert not result.exact


@pytest.mark.parametrize(("b", "c"), [(1, 8), (0, 5), (10, 14), (3, 3)])
def test_few_videos_use_the_exact_test(b, c):
    """Compares with twice the tail probability of a fair coin, at most 1."""
    result = mcnemar(*lists(b, c))
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert result.exact
    assert result.p_value == pytest.approx(min(1.0, 2 * tail))
    assert not mcnemar(*lists(b, c), exact=False).exact


def test_exact_and_corrected_tests_agree_for_many_videos():
    for b, c in ((120, 90), (300, 240)):
        exact, corrected = (mcnemar(*lists(b, c), exact=choice).p_value for choice in (True, False))
        assert exact == pytest.approx(corrected, rel=0.05)


def test_equal_classifiers_do_not_differ():
    assert mcnemar([True, False, True], [True, False, True]) == McNemar(0, 0, 0.0, 1.0, 2, 1, True)
    assert edwards(40, 40) == 0.0


def test_swapping_the_classifiers_only_swaps_the_counts():
    rng = np.random.default_rng(0)
    a, b = rng.random(200) < 0.6, rng.random(200) < 0.5
    one, other = mcnemar(a, b), mcnemar(b, a)
    assert (one.b, one.c) == (other.c, other.b)
    assert (one.statistic, one.p_value) == (other.statistic, other.p_value)


def test_different_videos_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\): pass two lists"):
        vidjax.evaluation.mcnemar([True, False], [True, False, True])
    with pytest.raises(ValueError, match="one entry per video"):
        mcnemar([], [])
