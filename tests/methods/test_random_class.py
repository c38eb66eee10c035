"""Tests Class Regularization with a random class's row, the control for the guess."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.methods.test_class_regularization import KERNEL, TINY, W, X, account, run
from vidjax.methods.class_regularization import random_class


def test_a_random_row_scales_as_its_class_would() -> None:
    y, sown = run(row="random", affection=0.6, relu=False)
    index = np.asarray(sown["class_index"])
    assert index.dtype == np.int32
    np.testing.assert_array_equal(index, random_class(jnp.mean(X, axis=(1, 2, 3)), W.shape[1]))
    assert (index != account(X, W, KERNEL, relu=False)[1]).any()

    def expected(kernel):
        rows = (np.float64(W).T @ kernel)[index]
        low, high = rows.min(1, keepdims=True), rows.max(1, keepdims=True)
        return 0.6 + 0.8 * (rows - low) / (high - low)

    factors = expected(np.float64(KERNEL))
    np.testing.assert_allclose(sown["factors"], factors, rtol=1e-5)
    np.testing.assert_allclose(y, X * factors[:, None, None, None], rtol=1e-5, atol=1e-5)
    # The classes depend only on the features, so the mapping learns as with guesses.
    way = np.random.default_rng(1).normal(size=KERNEL.shape)
    settings = {"row": "random", "affection": 0.6, "relu": False}
    loss = jax.grad(lambda x, kernel: run(x, kernel=kernel, **settings)[0].sum(), (0, 1))
    by_x, by_kernel = loss(*map(jnp.asarray, (X, KERNEL)))
    np.testing.assert_allclose(by_x, np.broadcast_to(factors[:, None, None, None], X.shape), 1e-5)
    ahead, back = (expected(KERNEL + step * way)[:, None, None, None] for step in (1e-6, -1e-6))
    slope = (X * (ahead - back)).sum() / 2e-6
    assert float((by_kernel * way).sum()) == pytest.approx(slope, rel=1e-3)


def test_random_classes_are_equally_likely_and_fixed_for_a_clip() -> None:
    pooled = jnp.asarray(np.random.default_rng(0).normal(size=(4000, 6)), jnp.float32)
    classes = np.asarray(random_class(pooled, 5))
    counts = np.bincount(classes, minlength=5)
    # Five standard deviations of a binomial with probability 1/5.
    assert abs(counts - 800).max() < 5 * np.sqrt(4000 * 0.2 * 0.8)
    np.testing.assert_array_equal(random_class(pooled[:7], 5), classes[:7])
    np.testing.assert_array_equal(random_class(pooled[::-1], 5), classes[::-1])
    assert len(set(random_class(pooled[:9], 5, "batch").tolist())) == 1
    means = [set(random_class(part, 5, "batch").tolist()) for part in jnp.split(pooled, 40)]
    assert len(set.union(*means)) == 5


def test_a_random_row_has_no_match() -> None:
    with pytest.raises(ValueError, match="match = 'max' has no effect, because row = 'random'"):
        vidjax.create_model("r3d_18", class_reg={"row": "random", "match": "max"}, **TINY)
