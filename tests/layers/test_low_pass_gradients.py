"""Tests gradients of the low pass and of scaling its parts, against finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from tests.quickly import quickly
from vidjax.layers.low_pass import BORDERS, low_pass, scale_parts, window_weights

# Some windows are larger than the axis.
CASES = [
    ((2, 4, 5, 3, 2), (3, 3, 3)),
    ((2, 4, 5, 3, 2), (5, 1, 7)),
    ((1, 1, 4, 4, 2), (3, 3, 3)),
    ((1, 2, 1, 6, 1), (7, 5, 3)),
]
FACTORS = {"mean": (0.3, 1.0), "residual": (1.0, -0.7), "both": (0.3, 1.6)}
RNG = np.random.default_rng(0)


def derivatives(function, x):
    """Returns derivatives along a direction, by gradient and by finite differences."""
    weights, direction = RNG.normal(size=x.shape), RNG.normal(size=x.shape)

    def total(x, low, high):
        return jnp.sum(weights * function(x, low, high))

    @quickly
    def both(x, low, high):
        step = 1e-3
        ahead, behind = (total(x + way * direction, low, high) for way in (step, -step))
        gradient = jax.grad(total)(x, low, high)
        return jnp.sum(gradient * direction), (ahead - behind) / (2 * step)

    return both


@pytest.mark.parametrize("std", [None, 0.6])
@pytest.mark.parametrize("border", BORDERS)
def test_gradients_are_those_of_finite_differences(border, std):
    with jax.enable_x64(True):
        for shape, window in CASES:
            x = jnp.asarray(RNG.normal(size=shape))
            settings = {"window": window, "std": std, "border": border}
            run = derivatives(functools.partial(scale_parts, **settings), x)
            for low, high in FACTORS.values():
                gradient, difference = run(x, jnp.asarray(low), jnp.asarray(high))
                assert gradient.dtype == jnp.float64
                np.testing.assert_allclose(gradient, difference, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("border", BORDERS)
def test_the_low_pass_has_a_correct_gradient(border):
    with jax.enable_x64(True):
        x = jnp.asarray(RNG.normal(size=(2, 4, 5, 3, 2)))
        run = derivatives(lambda x, low, high: low_pass(x, (3, 3, 3), None, border), x)
        gradient, difference = run(x, 1.0, 1.0)
        np.testing.assert_allclose(gradient, difference, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("border", BORDERS)
def test_each_clips_factor_scales_its_own_gradient(border):
    """The backward pass applies each clip's own factor."""
    x = jnp.asarray(RNG.normal(size=(3, 3, 4, 4, 2)), jnp.float32)
    alpha = jnp.asarray([0.0, 0.5, 2.0])[:, None, None, None, None]
    grad = quickly(
        jax.grad(lambda x, alpha: jnp.sum(jnp.sin(scale_parts(x, alpha, 1.0, border=border))))
    )
    whole = grad(x, alpha)
    for clip in range(3):
        own = grad(x[clip : clip + 1], alpha[clip : clip + 1])
        np.testing.assert_allclose(whole[clip : clip + 1], own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("std", [None, 0.6])
@pytest.mark.parametrize("border", BORDERS)
def test_images_are_filtered_in_two_dimensions(border, std):
    pictures = RNG.normal(size=(2, 1, 5, 6, 3))
    weights = window_weights(3, std)
    kernel = np.multiply.outer(weights, weights)[None, :, :, None]
    mode = "nearest" if border == "replicate" else "constant"
    expected = ndimage.correlate(pictures[:, 0], kernel, mode=mode)
    if border == "clip":
        expected /= ndimage.correlate(np.ones_like(pictures[:, 0]), kernel, mode="constant")
    x = jnp.asarray(pictures, jnp.float32)
    np.testing.assert_allclose(low_pass(x, std=std, border=border)[:, 0], expected, atol=1e-6)
    scaled = scale_parts(x, 0.25, 1.0, std=std, border=border)
    np.testing.assert_allclose(scaled[:, 0], pictures[:, 0] - 0.75 * expected, atol=1e-6)
