"""Batch statistics estimated anew: against NumPy, layer by layer, and by invariance to scales."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.evaluation.batch_statistics import StatisticsMean, batch_statistics
from vidjax.layers.norm import BatchNorm

X = np.random.default_rng(0).normal(2.0, 3.0, (12, 2, 3, 3, 4)).astype(np.float32)
AXES = (0, 1, 2, 3)


class TwoNorms(nn.Module):
    """Two normalisations with a nonlinearity between them, and dropout that needs a key."""

    factor: float = 1.0

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(BatchNorm(name="first")(self.factor * x, train=train))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return BatchNorm(name="second", group_size=4)(jnp.square(x), train=train)


def variables():
    return TwoNorms().init(jax.random.key(0), X, train=False)


def estimated(x, factor=1.0):
    with batch_statistics():
        y, state = TwoNorms(factor).apply(variables(), x, train=False, mutable=["batch_stats"])
    return np.asarray(y), state["batch_stats"]


def normalised(x):
    return (x - x.mean(AXES)) / np.sqrt(x.var(AXES) + 1e-5)


def test_each_layer_sees_features_that_are_normalised_by_the_batch():
    y, found = estimated(X)
    x = X.astype(np.float64)
    np.testing.assert_allclose(found["first"]["mean"], x.mean(AXES), rtol=1e-5)
    np.testing.assert_allclose(found["first"]["var"], x.var(AXES, ddof=1), rtol=1e-5)
    groups = np.square(np.maximum(normalised(x), 0)).reshape(3, 4, *X.shape[1:])
    means, variances = zip(*((g.mean(AXES), g.var(AXES, ddof=1)) for g in groups), strict=True)
    np.testing.assert_allclose(found["second"]["mean"], np.mean(means, 0), rtol=1e-4)
    np.testing.assert_allclose(found["second"]["var"], np.mean(variances, 0), rtol=1e-4)
    expected = np.concatenate([normalised(group) for group in groups])
    np.testing.assert_allclose(y, expected, atol=1e-4)


def test_outside_the_context_statistics_are_the_trained_ones():
    plain = TwoNorms().apply(variables(), X, train=False)
    estimated(X)
    np.testing.assert_array_equal(TwoNorms().apply(variables(), X, train=False), plain)


def test_a_scale_of_all_features_does_not_matter_with_statistics_of_its_own():
    """The trained statistics do not fit a scaled network; its own do."""
    trained = TwoNorms(7.0).apply(variables(), X, train=False)
    usual = TwoNorms().apply(variables(), X, train=False)
    assert np.abs(trained - usual).max() > 1

    def evaluated(factor):
        own = {**variables(), "batch_stats": estimated(X, factor)[1]}
        return np.asarray(TwoNorms(factor).apply(own, X, train=False))

    np.testing.assert_allclose(evaluated(7.0), evaluated(1.0), atol=1e-4)


def test_batches_are_averaged():
    mean = StatisticsMean()
    with pytest.raises(ValueError, match="no batch"):
        _ = mean.value
    parts = [estimated(part)[1] for part in (X[:4], X[4:8], X[8:])]
    for part in parts:
        mean.add(part)
    expected = np.mean([part["first"]["var"] for part in parts], axis=0)
    np.testing.assert_allclose(mean.value["first"]["var"], expected, rtol=1e-6)
