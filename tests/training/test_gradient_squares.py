"""Tests sums of squared gradients: small ones are computed together, large ones alone."""

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.training.gradient_squares import sums_of_squares

SHAPES = [(3,), (4, 5), (3,), (70, 70), (), (3,), (70, 70), (4, 5), (1,), ()]


def gradients():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]


def test_sums_are_in_the_order_of_gradients():
    found = jax.jit(sums_of_squares)(gradients())
    expected = [np.sum(np.square(np.float64(each))) for each in gradients()]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_gradient_that_is_not_finite_affects_no_other():
    spoilt = gradients()
    spoilt[5][1], spoilt[6][0, 0] = np.nan, np.inf
    finite = jnp.isfinite(jax.jit(sums_of_squares)(spoilt))
    assert np.flatnonzero(~np.asarray(finite)).tolist() == [5, 6]


def test_dtypes_are_not_mixed():
    pair = [jnp.ones(3, jnp.bfloat16), jnp.full(3, 0.1, jnp.float32)]
    np.testing.assert_allclose(sums_of_squares(pair), [3, 0.03], rtol=1e-6)


def test_small_gradients_of_one_shape_share_loops():
    def loops(count):
        given = [jnp.ones(5)] * count
        return str(jax.make_jaxpr(sums_of_squares)(given)).count("dot_general[")

    assert loops(2) == loops(50) == 1
