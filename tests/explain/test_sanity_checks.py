"""Tests sanity checks: which modules are randomised, and how maps are compared."""

import jax
import numpy as np
import pytest

from vidjax import create_model
from vidjax.explain.map_measurements import Compared
from vidjax.explain.sanity_checks import cascade, parts_of, rank_correlation, similarity
from vidjax.explain.sanity_table import sanity_rows
from vidjax.explain.traced_network import trace_network

RNG = np.random.default_rng(0)


def test_parts_are_randomised_from_the_classifier_down():
    model = create_model("r3d_18", num_classes=3, width=4, depths=(1, 1, 0, 0))
    clip = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), np.float32)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), np.zeros(clip.shape)))
    parts = parts_of(trace_network(model, shapes, clip), shapes["params"])
    assert parts == ["head", "layer2", "layer1", "stem_layer"]
    trained = jax.tree.map(lambda own: np.zeros(own.shape), shapes)
    fresh = jax.tree.map(lambda own: np.ones(own.shape), shapes)
    steps = list(cascade(trained, fresh, parts))
    assert [name for name, _ in steps] == parts
    for count, (_, variables) in enumerate(steps, 1):
        assert jax.tree.structure(variables) == jax.tree.structure(trained)
        for tree in variables.values():
            for part, leaves in tree.items():
                told = {float(leaf.mean()) for leaf in jax.tree.leaves(leaves)}
                assert told == {float(part in parts[:count])}, part


def ranks(values):
    """Ranks values in a loop; equal values share their mean rank."""
    flat = values.reshape(-1)
    return np.array([(flat < own).sum() + ((flat == own).sum() - 1) / 2 for own in flat])


def test_rank_correlation_is_pearsons_correlation_of_ranks():
    one = RNG.integers(0, 9, (3, 5, 4)).astype(np.float32)
    other = one**2 + RNG.integers(0, 30, one.shape)
    expected = np.corrcoef(ranks(one), ranks(other))[0, 1]
    assert rank_correlation(one, other) == pytest.approx(expected)
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.zeros_like(one)) == 0


def test_similarity_is_equation_13_in_windows_of_11():
    one, other = RNG.random((2, 11, 11)), RNG.random((2, 11, 11))
    places = np.arange(-5, 6)
    window = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    window /= window.sum()
    padded = [np.pad(own, ((0, 0), (5, 5), (5, 5)), "symmetric") for own in (one, other)]
    found = []
    for t in range(2):
        for y in range(11):
            for x in range(11):
                a, b = (own[t, y : y + 11, x : x + 11] for own in padded)
                mean, its = (window * a).sum(), (window * b).sum()
                variance = (window * (a - mean) ** 2).sum() + (window * (b - its) ** 2).sum()
                covariance = (window * (a - mean) * (b - its)).sum()
                numerator = (2 * mean * its + 1e-4) * (2 * covariance + 9e-4)
                found.append(numerator / ((mean**2 + its**2 + 1e-4) * (variance + 9e-4)))
    assert similarity(one, other) == pytest.approx(np.mean(found))
    assert similarity(one, one) == pytest.approx(1)


def test_rows_are_means_of_a_network_s_seeds():
    def own(run, video, correlation):
        return Compared(run, video, "cam", 0, "parameters", "head", correlation, 0.5)

    given = [own("a", "x", 0.2), own("a", "y", 0.4), own("b", "x", 0.6), own("b", "y", 0.8)]
    (row,) = sanity_rows({"net": ["a", "b"]}, ["cam"], given)
    assert (row.network, row.map, row.check, row.other) == ("net", "cam", "parameters", "head")
    assert (row.correlation, row.similarity) == pytest.approx((0.5, 0.5))
    # The means of the two videos over the seeds are 0.4 and 0.6.
    assert row.correlation_half == pytest.approx(12.7062 * 0.1, rel=1e-4)
    assert (row.videos, row.seeds) == (2, 2)
