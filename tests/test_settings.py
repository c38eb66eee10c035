"""Tests what each kind of setting accepts and refuses, and its description."""

import numpy as np
import pytest

from vidjax.settings import (
    LONGEST,
    boolean,
    check,
    check_used,
    either,
    number,
    one_of,
    optional,
    rising,
    several,
    shown,
    whole,
)

TAKEN = [
    (number(), [0, 1.5, -3, np.float32(2), np.int64(3)]),
    (number(0, 1), [0, 1, 0.5]),
    (number(above=0, below=1), [0.1, np.float64(0.9)]),
    (whole(1), [1, 7, np.int64(3), 10**30]),
    (boolean(), [True, False]),
    (one_of("a", "b"), ["a", "b"]),
    (one_of(1, 2), [1, 2]),
    (several(whole(1)), [(1,), [1, 2, 3]]),
    (several(number(), 2), [(1, 2.5), [0, 0]]),
    (rising(number(0)), [(0, 0), (0.5, 2)]),
    (optional(whole(1)), [None, 2]),
    (either(whole(1), one_of("all")), [3, "all"]),
]
REFUSED = [
    (number(), [True, "1", None, float("nan"), float("inf"), (1,), np.zeros(2)]),
    (number(0, 1), [-1e-9, 1.1, 2]),
    (number(above=0, below=1), [0, 1]),
    (whole(1), [0, -1, 1.0, True, "1", np.float32(1)]),
    (whole(1, 5), [6]),
    (boolean(), [0, 1, None, "True"]),
    (one_of("a", "b"), ["c", None, ("a",), np.zeros(3)]),
    (one_of(1, 2), [True, 1.0, "1"]),
    (several(whole(1)), [(), 3, (1, 0), (True,), "12", None]),
    (several(number(), 2), [(1,), (1, 2, 3), (1, "2"), 5]),
    (rising(number(0)), [(2, 1), (-1, 0), (1,)]),
    (optional(whole(1)), [0, "none"]),
    (either(whole(1), one_of("all")), [0, "some"]),
]


@pytest.mark.parametrize(("kind", "values"), TAKEN, ids=lambda x: getattr(x, "text", ""))
def test_valid_values_are_accepted(kind, values):
    for value in values:
        check({"it": value}, {"it": kind})


@pytest.mark.parametrize(("kind", "values"), REFUSED, ids=lambda x: getattr(x, "text", ""))
def test_invalid_values_are_refused_with_name_value_and_kind(kind, values):
    for value in values:
        with pytest.raises(ValueError, match="group it = ") as caught:
            check({"it": value}, {"it": kind}, "group ")
        assert repr(value) in str(caught.value)
        assert str(caught.value).endswith(kind.text)


def test_bounds_are_described():
    texts = {
        number(0, 1): "a number in [0, 1]",
        number(above=0): "a number above 0",
        number(0, below=1): "a number in [0, 1)",
        whole(1): "a whole number of at least 1",
        whole(None, 4): "a whole number of at most 4",
        optional(one_of("a", "b")): "one of a, b, or None",
        rising(number(0)): "two values in rising order, each a number of at least 0",
    }
    assert {kind.text for kind in texts} == set(texts.values())
    assert all(kind.text == text for kind, text in texts.items())


def test_names_missing_in_the_table_are_ignored():
    check({"other": object()}, {"it": boolean()})


NEEDS = {"std": {"filter": one_of("gaussian"), "size": whole(2)}}
DEFAULTS = {"std": 0.4, "filter": "mean", "size": 3}


@pytest.mark.parametrize("given", [{}, {"filter": "mean"}, {"std": 1, "filter": "gaussian"}])
def test_settings_with_an_effect_are_accepted(given):
    check_used(given, {**DEFAULTS, **given}, NEEDS)


def test_settings_without_effect_are_refused_with_the_fix():
    with pytest.raises(
        ValueError, match="group std = 0.4 has no effect, because filter = 'mean': "
    ):
        check_used({"std": 0.4}, DEFAULTS, NEEDS, "group ")
    given = {"std": 1, "filter": "gaussian", "size": 1}
    with pytest.raises(ValueError, match="leave it out, or set size to a whole number of at least"):
        check_used(given, {**DEFAULTS, **given}, NEEDS)


def test_shown_values_are_one_line_of_bounded_length():
    assert shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert shown("a\nb") == "'a\\nb'"
    assert len(shown("x" * 10_000)) == LONGEST + 3
