from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.conv2plus1d import Conv2Plus1D, mid_channels
from vidjax.layers.norm import BatchNorm

X = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 4)).astype(np.float32)


def random_variables(module, x=X):
    rng = np.random.default_rng(1)
    variables = jax.eval_shape(partial(module.init, train=False), jax.random.key(0), x)
    return {
        "params": jax.tree.map(
            lambda a: rng.normal(0, 0.5, a.shape).astype(np.float32), variables["params"]
        ),
        "batch_stats": jax.tree.map(
            lambda a: rng.uniform(0.02, 2, a.shape).astype(np.float32), variables["batch_stats"]
        ),
    }


def convolved(x, kernel, strides):
    """Correlates `[B, T, H, W, C]` in float64, padded by k // 2."""
    pads = [(0, 0), *((size // 2, size // 2) for size in kernel.shape[:3]), (0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(np.float64(x), pads), kernel.shape[:3], axis=(1, 2, 3)
    )
    t, h, w = strides
    return np.einsum("bthwcijk,ijkco->bthwo", windows[:, ::t, ::h, ::w], np.float64(kernel))


def factorised(variables, x, strides, time_first, train=False, epsilon=1e-5):
    """Computes the equations in float64; also returns the batch's mean and unbiased variance."""
    params, stats = variables["params"], variables["batch_stats"]["norm"]
    order = [("space", (1, *strides[1:])), ("time", (strides[0], 1, 1))]
    (first, first_strides), (second, second_strides) = order[::-1] if time_first else order
    y = convolved(x, params[first]["kernel"], first_strides)
    flat = y.reshape(-1, y.shape[-1])
    mean, var = (flat.mean(0), flat.var(0)) if train else (stats["mean"], stats["var"])
    y = (y - mean) / np.sqrt(np.float64(var) + epsilon)
    y = np.maximum(y * params["norm"]["scale"] + params["norm"]["bias"], 0)
    y = convolved(y, params[second]["kernel"], second_strides)
    return y, {"mean": flat.mean(0), "var": flat.var(0, ddof=1)}


@pytest.mark.parametrize(
    ("inputs", "outputs", "space", "expected"),
    [(64, 64, 3, 144), (64, 128, 3, 230), (128, 128, 3, 288), (3, 64, 7, 83), (64, 128, 1, 54)],
)
def test_mid_channels_are_the_known_ones(inputs, outputs, space, expected):
    assert mid_channels(inputs, outputs, space=space) == expected


@pytest.mark.parametrize("space", [1, 3, 5, 7])
def test_mid_channels_are_the_most_with_no_more_parameters_than_the_full_kernel(space):
    for inputs in (3, 16, 64, 130):
        for outputs in (8, 64, 100):
            full = 3 * space**2 * inputs * outputs
            each = space**2 * inputs + 3 * outputs
            mid = mid_channels(inputs, outputs, space)
            assert isinstance(mid, int)
            assert mid * each <= full < (mid + 1) * each


def test_mid_channels_take_three_by_three_by_default():
    assert mid_channels(64, 256) == mid_channels(64, 256, 3)


@pytest.mark.parametrize(
    ("inputs", "features", "kernel_size", "mid"),
    [
        (64, 64, (3, 3, 3), 144),
        (64, 128, (3, 3, 3), 230),
        (3, 64, (3, 7, 7), 83),
        (64, 128, (3, 1, 1), 54),
    ],
)
def test_conv2plus1d_has_the_mid_channels_of_its_kernel(inputs, features, kernel_size, mid):
    module = Conv2Plus1D(features, kernel_size)
    x = jax.ShapeDtypeStruct((1, 3, 8, 8, inputs), jnp.float32)
    init = partial(module.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), x)
    kt, kh, kw = kernel_size
    assert jax.tree.map(np.shape, variables) == {
        "params": {
            "space": {"kernel": (1, kh, kw, inputs, mid)},
            "norm": {"scale": (mid,), "bias": (mid,)},
            "time": {"kernel": (kt, 1, 1, mid, features)},
        },
        "batch_stats": {"norm": {"mean": (mid,), "var": (mid,)}},
    }


def test_conv2plus1d_with_time_first_swaps_its_convolutions():
    module = Conv2Plus1D(6, (5, 3, 3), mid=7, time_first=True)
    params = jax.eval_shape(partial(module.init, train=False), jax.random.key(0), X)["params"]
    assert jax.tree.map(np.shape, params) == {
        "time": {"kernel": (5, 1, 1, 4, 7)},
        "norm": {"scale": (7,), "bias": (7,)},
        "space": {"kernel": (1, 3, 3, 7, 6)},
    }


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize(
    ("kernel_size", "strides"),
    [
        ((3, 3, 3), (1, 1, 1)),
        ((3, 3, 3), (2, 2, 2)),
        ((3, 5, 3), (1, 2, 3)),
        ((5, 1, 1), (2, 1, 1)),
        ((1, 3, 3), (1, 2, 2)),
    ],
)
def test_conv2plus1d_is_two_convolutions_with_a_rectified_norm_between(
    kernel_size, strides, time_first
):
    module = Conv2Plus1D(6, kernel_size, strides, mid=5, time_first=time_first)
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = factorised(variables, X, strides, time_first)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


def test_conv2plus1d_with_default_mid_follows_its_equations():
    module = Conv2Plus1D(3)
    variables = random_variables(module)
    expected, _ = factorised(variables, X, (1, 1, 1), False)
    y = module.apply(variables, X, train=False)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("time_first", [False, True])
def test_conv2plus1d_in_training_normalises_by_the_batch_and_updates_statistics(time_first):
    module = Conv2Plus1D(6, strides=(1, 2, 2), mid=5, time_first=time_first)
    variables = random_variables(module)
    y, updated = module.apply(variables, X, train=True, mutable=["batch_stats"])
    expected, batch = factorised(variables, X, (1, 2, 2), time_first, train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)
    for moment, old in variables["batch_stats"]["norm"].items():
        fresh = 0.9 * old + 0.1 * batch[moment]
        np.testing.assert_allclose(
            updated["batch_stats"]["norm"][moment], fresh, rtol=1e-5, atol=1e-5
        )


def test_conv2plus1d_uses_the_norm_it_is_given():
    module = Conv2Plus1D(6, mid=5, norm=partial(BatchNorm, epsilon=0.5))
    variables = random_variables(module)
    expected, _ = factorised(variables, X, (1, 1, 1), False, epsilon=0.5)
    y = module.apply(variables, X, train=False)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


def test_conv2plus1d_of_a_clip_does_not_depend_on_its_batch_in_evaluation():
    module = Conv2Plus1D(6, mid=5)
    variables = random_variables(module)
    whole = module.apply(variables, X, train=False)
    alone = module.apply(variables, X[1:], train=False)
    np.testing.assert_allclose(whole[1:], alone, rtol=1e-5, atol=5e-5)
