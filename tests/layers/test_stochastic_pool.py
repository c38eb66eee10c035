"""Tests the probabilities, the expectation and the gradient of stochastic pooling."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tests.quickly import UNOPTIMIZED
from vidjax.layers.stochastic_pool import stochastic_pool

RNG = np.random.default_rng(0)
# All values differ, so the drawn one can be identified.
X = (RNG.permutation(2 * 4 * 5 * 7 * 3).reshape(2, 4, 5, 7, 3) - 300).astype(np.float32) / 64
UPSTREAM = RNG.normal(size=(2, 4, 2, 3, 3)).astype(np.float32)
WINDOW = [[0.5, 2.0], [-3.0, 1.5]]


@functools.partial(jax.jit, static_argnums=(3, 4), compiler_options=UNOPTIMIZED)
def run(x, upstream, key, window=(1, 2, 2), strides=None):
    """Returns output and gradient."""
    y, pull = jax.vjp(lambda x: stochastic_pool(x, window, strides, key=key), x)
    return y, pull(upstream)[0]


@functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
def draw_many(x):
    keys = jax.random.split(jax.random.key(0), 4000)
    return jax.vmap(lambda key: stochastic_pool(x, key=key))(keys)


def corners(x):
    """Returns the contents of windows of 1x2x2, `[4, B, T, H', W', C]` in float64."""
    x = np.float64(x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2])
    return np.stack([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)])


def expectation(x):
    values = corners(x)
    positive = np.maximum(values, 0)
    total = positive.sum(0)
    weights = np.where(total > 0, positive / np.where(total > 0, total, 1), 0.25)
    return (weights * values).sum(0)


def assert_frequencies(draws, values, probabilities):
    """Checks that values are drawn with the expected frequencies."""
    counts = np.array([(draws == value).sum() for value in values])
    assert counts.sum() == len(draws)
    possible = np.array(probabilities) > 0
    assert not counts[~possible].any()
    expected = np.array(probabilities)[possible] * len(draws)
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], expected).pvalue > 1e-3


@pytest.mark.parametrize(
    ("window", "probabilities"),
    [
        (WINDOW, [0.125, 0.5, 0, 0.375]),
        ([[-1.0, -2.0], [0.0, -0.5]], [0.25] * 4),
        ([[0.0, -2.0], [1e-3, -0.5]], [0, 0, 1, 0]),
    ],
)
def test_values_are_drawn_in_proportion_to_their_size(window, probabilities):
    x = jnp.asarray(window, jnp.float32)[None, None, :, :, None]
    draws = draw_many(x)
    assert_frequencies(np.ravel(draws), np.ravel(x), probabilities)


def test_windows_clips_and_channels_draw_independently():
    x = np.tile(np.float32(WINDOW)[None, None, :, :, None], (20, 5, 4, 5, 2))
    draws = np.asarray(
        jax.jit(stochastic_pool, compiler_options=UNOPTIMIZED)(x, key=jax.random.key(1))
    )
    assert_frequencies(np.ravel(draws), np.ravel(WINDOW), [0.125, 0.5, 0, 0.375])
    for one, other in [
        (draws[..., 0], draws[..., 1]),
        (draws[::2], draws[1::2]),
        (draws[:, :2], draws[:, 2:4]),
        (draws[:, :, ::2], draws[:, :, 1::2]),
    ]:
        # Two draws from the same four values are equal with the sum of their squared probabilities.
        together = stats.binomtest(int((one == other).sum()), one.size, 0.125**2 + 0.25 + 0.375**2)
        assert together.pvalue > 1e-3


def test_every_value_comes_from_its_window():
    draws, _ = run(X, UPSTREAM, jax.random.key(2))
    assert draws.shape == (2, 4, 2, 3, 3)
    values = corners(X)
    assert (values == np.asarray(draws)).any(0).all()
    hopeful = values.max(0) > 0
    assert hopeful.any()
    assert (~hopeful).any()
    assert (np.asarray(draws)[hopeful] > 0).all()


def test_without_a_key_it_is_the_expectation():
    y, _ = run(X, UPSTREAM, None)
    np.testing.assert_allclose(y, expectation(X), atol=1e-5)
    draws = np.float64(draw_many(X[:1, :1]))
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - y[:1, :1]) <= 5 * error + 1e-5).all()


def test_windows_of_zeros_give_zero_without_nan():
    x, expected = np.zeros_like(X), np.zeros_like(UPSTREAM)
    x[0, 0, 0, 0, 0], expected[0, 0, 0, 0, 0] = -1, -0.25
    found = [run(x, UPSTREAM, key) for key in (None, jax.random.key(4))]
    chex.assert_tree_all_finite(found)
    np.testing.assert_array_equal(found[0][0], expected)


def test_the_gradient_goes_to_the_drawn_values():
    y, gradient = run(X, UPSTREAM, jax.random.key(5))
    drawn = corners(X) == np.asarray(y)
    assert (drawn.sum(0) == 1).all()
    np.testing.assert_array_equal(corners(gradient), drawn * np.float64(UPSTREAM))
    np.testing.assert_array_equal(gradient[:, :, 4:], 0)
    np.testing.assert_array_equal(gradient[:, :, :, 6:], 0)


def test_overlapping_windows_add_their_gradients():
    ones = np.ones((2, 3, 2, 3, 3), np.float32)
    y, gradient = run(X, ones, jax.random.key(6), (2, 3, 3), (1, 2, 2))
    values, times = np.unique(y, return_counts=True)
    assert times.max() > 1
    expected = np.zeros(X.shape)
    for value, count in zip(values, times, strict=True):
        expected[value == X] = count
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("key", [None, 7])
def test_bfloat16_is_kept(key):
    x, upstream = jnp.asarray(X, jnp.bfloat16), jnp.asarray(UPSTREAM, jnp.bfloat16)
    key = None if key is None else jax.random.key(key)
    y, gradient = run(x, upstream, key)
    assert y.dtype == gradient.dtype == jnp.bfloat16
    if key is None:
        half = float(jnp.finfo(jnp.bfloat16).eps) / 2
        np.testing.assert_allclose(np.float64(y), expectation(x), rtol=half, atol=1e-6)
    else:
        assert (corners(x) == np.float64(y)).any(0).all()


def test_draws_depend_only_on_the_key():
    one, other = jax.random.key(8), jax.random.key(9)
    drawn, again, another = (run(X, UPSTREAM, key)[0] for key in (one, one, other))
    np.testing.assert_array_equal(drawn, again)
    assert not np.array_equal(drawn, another)


def test_windows_larger_than_the_features_are_refused():
    with pytest.raises(ValueError, match="larger"):
        stochastic_pool(jnp.asarray(X), (5, 2, 2), key=jax.random.key(0))
