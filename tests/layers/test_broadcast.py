import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.broadcast import broadcast_like

RNG = np.random.default_rng(0)
X = RNG.normal(1, 1, (2, 4, 24, 24, 3))
UPSTREAM = RNG.normal(1, 1, X.shape)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 1, 1, 3), (2, 4, 1, 1, 1)])
def test_values_are_broadcast_and_rounded_once(shape):
    values = jnp.asarray(RNG.normal(size=shape), jnp.float32)
    x = jnp.asarray(X, jnp.bfloat16)
    expected = np.broadcast_to(np.asarray(values.astype(jnp.bfloat16)), X.shape)
    assert broadcast_like(values, x).dtype == jnp.bfloat16
    np.testing.assert_array_equal(broadcast_like(values, x), expected)


@pytest.mark.parametrize(("shape", "axes"), [((3,), (0, 1, 2, 3)), ((2, 1, 1, 1, 3), (1, 2, 3))])
def test_gradients_of_many_positions_are_accurate(shape, axes):
    """A sum of at least 2,304 numbers around 1 would end at 256 in bfloat16."""
    x, upstream = (jnp.asarray(a, jnp.bfloat16) for a in (X, UPSTREAM))

    @jax.jit
    def gradient(values, x, upstream):
        return jax.vjp(lambda values: x * broadcast_like(values, x), values)[1](upstream)[0]

    found = gradient(jnp.ones(shape), x, upstream)
    exact = (np.float64(x) * np.float64(upstream)).sum(axes).reshape(shape)
    np.testing.assert_allclose(found, exact, rtol=1e-3)
