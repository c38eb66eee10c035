"""Tests trilinear resizing against half-pixel weights, one axis after the other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import UNOPTIMIZED
from vidjax.layers.resize import trilinear

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
SIZES = [(6, 8, 10), (5, 3, 7), (3, 4, 5), (1, 2, 2), (4, 1, 11)]


def weights(size, length):
    """Returns weights `[size, length]` with half-pixel centres, constant beyond the outer ones."""
    centres = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    return np.maximum(1 - np.abs(centres[:, None] - np.arange(length)), 0)


def matrices(size, x):
    return [weights(new, old) for new, old in zip(size, x.shape[1:4], strict=True)]


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_those_of_half_pixel_weights(size):
    upstream = np.random.default_rng(1).normal(size=(2, *size, 2)).astype(np.float32)

    @functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
    def run(x):
        y, pull = jax.vjp(lambda x: trilinear(x, size), x)
        return y, pull(upstream)[0]

    y, found = run(X)
    expected = np.einsum("ut,vh,zw,bthwc->buvzc", *matrices(size, X), np.float64(X))
    np.testing.assert_allclose(y, expected, atol=1e-5)
    gradient = np.einsum("ut,vh,zw,buvzc->bthwc", *matrices(size, X), np.float64(upstream))
    np.testing.assert_allclose(found, gradient, atol=1e-5)


def test_doubled_frames_are_mixed_by_quarters():
    x = jnp.asarray([0.0, 4.0, 8.0]).reshape(1, 3, 1, 1, 1)
    found = np.ravel(trilinear(x, (6, 1, 1)))
    np.testing.assert_allclose(found, [0, 1, 3, 5, 7, 8], atol=1e-6)


def test_halved_pixels_are_means_of_two_without_antialiasing():
    x = jnp.asarray([1.0, 3.0, 10.0, 20.0, 0.0, 8.0]).reshape(1, 1, 1, 6, 1)
    np.testing.assert_allclose(np.ravel(trilinear(x, (1, 1, 3))), [2, 15, 4], atol=1e-6)
    # At a third of the size each pixel is the middle of three; antialiasing would mix in its
    # neighbours.
    np.testing.assert_allclose(np.ravel(trilinear(x, (1, 1, 2))), [3, 0], atol=1e-6)


@pytest.mark.parametrize("size", SIZES[:2])
def test_a_constant_stays_constant(size):
    y = trilinear(jnp.full((1, 3, 4, 5, 1), 7.3), size)
    assert y.shape == (1, *size, 1)
    np.testing.assert_allclose(y, 7.3, rtol=1e-6)


def test_the_same_size_is_the_same_clip():
    np.testing.assert_allclose(trilinear(jnp.asarray(X), X.shape[1:4]), X, rtol=1e-6)


def test_one_frame_is_repeated():
    y = trilinear(jnp.asarray(X[:, :1]), (4, 4, 5))
    np.testing.assert_allclose(y, np.repeat(X[:, :1], 4, 1), rtol=1e-6)


def test_bfloat16_is_computed_in_float32_and_rounded_once():
    x = jnp.asarray(X, jnp.bfloat16)
    y = trilinear(x, (5, 7, 8))
    assert y.dtype == jnp.bfloat16
    expected = np.einsum("ut,vh,zw,bthwc->buvzc", *matrices((5, 7, 8), x), np.float64(x))
    half = float(jnp.finfo(jnp.bfloat16).eps) / 2
    np.testing.assert_allclose(np.float64(y), expected, rtol=half, atol=1e-6)


def test_it_is_the_same_without_jit():
    expected = np.einsum("ut,vh,zw,bthwc->buvzc", *matrices((5, 7, 8), X), np.float64(X))
    np.testing.assert_allclose(trilinear(X, (5, 7, 8)), expected, atol=1e-5)
