import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.optimization_barrier import compute_once


@pytest.mark.parametrize("value", [0.0, 1.5, np.inf, -np.inf, np.nan])
def test_no_value_takes_the_other_branch(value):
    x = jnp.arange(6.0).reshape(2, 3)
    y = jnp.full((3,), value)
    result = jax.jit(lambda x, y: compute_once(lambda x, y: x * y + 1, x, y))(x, y)
    np.testing.assert_array_equal(result, x * y + 1)


def test_a_result_with_several_readers_is_computed_once():
    """Both readers get one result, and the program has the computation once."""

    def run(x):
        y = compute_once(lambda x: jnp.sin(jnp.exp(x)), x)
        return y.sum(axis=0), y * 2

    x = jnp.linspace(0, 1, 4096).reshape(64, 64)
    compiled = jax.jit(run).lower(x).compile()
    assert compiled.as_text().count(" sine(") == 1
    sums, doubled = compiled(x)
    np.testing.assert_allclose(doubled, 2 * np.sin(np.exp(x)), rtol=1e-6)
    np.testing.assert_allclose(sums, np.sin(np.exp(x)).sum(0), rtol=1e-5)
