import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from tests.quickly import quickly
from vidjax.layers.low_pass import low_pass, window_weights

X = np.random.default_rng(0).normal(size=(2, 4, 5, 6, 3))


@pytest.mark.parametrize("std", [None, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("window", [(3, 3, 3), (1, 3, 3), (5, 3, 1)])
@pytest.mark.parametrize("border", ["clip", "zero", "replicate"])
def test_it_equals_scipys_correlation(window, std, border):
    kernel = np.ones(())
    for size in window:
        kernel = np.multiply.outer(kernel, window_weights(size, std))
    kernel = kernel[None, ..., None]
    mode = "nearest" if border == "replicate" else "constant"
    expected = ndimage.correlate(X, kernel, mode=mode)
    if border == "clip":
        expected /= ndimage.correlate(np.ones_like(X), kernel, mode="constant")
    result = quickly(low_pass, static_argnums=(1, 2, 3))(np.float32(X), window, std, border)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_constant_features_are_unchanged():
    x = jnp.full((1, 3, 4, 4, 2), 5.0)
    np.testing.assert_allclose(low_pass(x), x, rtol=1e-6)
    assert float(low_pass(x, border="zero")[0, 0, 0, 0, 0]) == pytest.approx(5 * 8 / 27)


def test_bfloat16_is_kept():
    assert low_pass(jnp.ones((1, 2, 3, 3, 1), jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": (3, 2, 3)}, "a window of 2: expected an odd number"),
        ({"std": 0.0}, "deviation 0.0"),
        ({"border": "mirror"}, "border = 'mirror': one of clip, zero, replicate"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        low_pass(jnp.ones((1, 3, 3, 3, 1)), **settings)
