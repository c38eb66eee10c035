"""Tests windows of clips against individual slices."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.pooling_windows import windows

X = np.arange(2 * 5 * 6 * 7 * 2, dtype=np.float32).reshape(2, 5, 6, 7, 2)


def account(x, window, strides):
    lengths = zip(window, strides, x.shape[1:4], strict=True)
    sizes = [range(0, length - size + 1, stride) for size, stride, length in lengths]
    shape = [n for size, starts in zip(window, sizes, strict=True) for n in (len(starts), size)]
    result = np.empty((len(x), *shape, x.shape[-1]), x.dtype)
    for i, j, k in itertools.product(*(range(len(starts)) for starts in sizes)):
        (t, h, w), (kt, kh, kw) = (sizes[0][i], sizes[1][j], sizes[2][k]), window
        result[:, i, :, j, :, k] = x[:, t : t + kt, h : h + kh, w : w + kw]
    return result


@pytest.mark.parametrize(
    ("window", "strides"),
    [
        ((1, 2, 2), (1, 2, 2)),
        ((2, 3, 3), (1, 2, 1)),
        ((1, 2, 2), (2, 3, 3)),
        ((5, 6, 7), (1, 1, 1)),
    ],
)
def test_each_window_has_its_part_of_the_clip(window, strides):
    expected = account(X, window, strides)

    @jax.jit
    def run(x):
        y, pull = jax.vjp(lambda x: windows(x, window, strides), x)
        return y, pull(jnp.ones_like(y))[0]

    y, gradient = run(X)
    np.testing.assert_array_equal(y, expected)
    # The gradient of ones is the number of windows that contain each value.
    counts = np.bincount(np.int64(expected).ravel(), minlength=X.size).reshape(X.shape)
    np.testing.assert_array_equal(gradient, counts)


def test_strides_are_the_window_unless_given_and_dtypes_stay():
    x = jnp.asarray(X, jnp.bfloat16)
    y = windows(x, (2, 3, 2))
    assert y.shape == (2, 2, 2, 2, 3, 3, 2, 2)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, account(np.asarray(x), (2, 3, 2), (2, 3, 2)))


def test_adjacent_windows_are_a_reshape():
    program = str(jax.make_jaxpr(lambda x: windows(x, (2, 2, 2)))(X))
    assert not any(name in program for name in ("gather", "concatenate", "conv", "stack"))


@pytest.mark.parametrize(
    ("window", "strides"),
    [((6, 1, 1), None), ((1, 1, 8), None), ((1, 0, 1), None), ((1, 2, 2), (1, 0, 1))],
)
def test_invalid_windows_are_refused(window, strides):
    with pytest.raises(ValueError, match="a window of"):
        windows(jnp.asarray(X), window, strides)
