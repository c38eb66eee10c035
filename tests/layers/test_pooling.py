import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from tests.quickly import quickly
from vidjax.layers.lowering import force_lowering
from vidjax.layers.pooling import global_avg_pool, max_pool

WINDOWS = [
    ((3, 3, 3), (2, 2, 2)),
    ((1, 3, 3), (1, 2, 2)),
    ((3, 1, 1), (1, 1, 1)),
    ((5, 2, 3), (3, 2, 1)),
]


def run(pool, x):
    """Returns the values, and the gradient of their sum with different weights."""

    def both(x):
        y, pull = jax.vjp(pool, x)
        return y, pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))[0]

    return quickly(both)(x)


@pytest.mark.parametrize(("window", "strides"), WINDOWS)
def test_values_and_gradients_equal_xlas_even_with_ties(window, strides):
    # With few different values, most windows have ties.
    x = jnp.asarray(np.random.default_rng(0).integers(0, 4, (2, 6, 9, 8, 3)), jnp.float32)
    pool = functools.partial(max_pool, window=window, strides=strides)
    ours, theirs = (run(functools.partial(pool, lowering=each), x) for each in ("cpu", "lax"))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_values_equal_scipys():
    x = np.random.default_rng(0).normal(size=(6, 9, 8)).astype(np.float32)
    filtered = ndimage.maximum_filter(x, 3, mode="constant", cval=-np.inf)
    ours = max_pool(jnp.asarray(x)[None, ..., None], (3, 3, 3), (2, 2, 2))
    np.testing.assert_array_equal(ours[0, ..., 0], filtered[::2, ::2, ::2])


def test_the_gradient_of_equal_values_goes_to_the_first():
    gradient = jax.grad(lambda x: max_pool(x, (2, 2, 2), (2, 2, 2), (0, 0, 0)).sum())
    result = gradient(jnp.zeros((1, 2, 2, 2, 1)))
    assert result[0, 0, 0, 0, 0] == 1
    assert result.sum() == 1


def test_forced_lowering_keeps_one_primitive():
    with force_lowering("lax"):
        program = str(
            jax.make_jaxpr(lambda x: max_pool(x, (3, 3, 3), (2, 2, 2)))(jnp.ones((1, 4, 4, 4, 1)))
        )
    assert "reduce_window" in program


def test_global_mean_is_float32():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6)), jnp.bfloat16)
    pooled = global_avg_pool(x)
    assert pooled.dtype == jnp.float32
    np.testing.assert_allclose(pooled, np.asarray(x, np.float64).mean(axis=(1, 2, 3)), atol=1e-5)


@pytest.mark.parametrize(("window", "strides"), [((1, 3, 3), (1, 2, 2)), ((2, 2, 2), (2, 2, 2))])
@pytest.mark.parametrize("size", [(4, 8, 8), (5, 7, 9)])
def test_same_padding_equals_xlas(window, strides, size):
    x = jnp.asarray(np.random.default_rng(4).normal(size=(2, *size, 3)), jnp.float32)

    def ours(x):
        return max_pool(x, window, strides, "SAME")

    def theirs(x):
        full = ((1, *window, 1), (1, *strides, 1), "SAME")
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, *full)

    (values, gradient), (expected, expected_gradient) = run(ours, x), run(theirs, x)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)
