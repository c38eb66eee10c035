from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.models.shortcuts import SHORTCUTS

X = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 4)).astype(np.float32)
STRIDES = [(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 1, 1)]
SPATIAL = [(1, 1, 1), (1, 2, 2), (1, 3, 2)]
PROJECTIONS = ["projection", "bare_projection", "average_projection"]
PADS = ["pad", "pad_around"]


def shortcut(name, features, strides, norm=BatchNorm):
    return SHORTCUTS[name](features, strides, Conv, norm)


def random_variables(module, x=X):
    rng = np.random.default_rng(1)
    variables = jax.eval_shape(partial(module.init, train=False), jax.random.key(0), x)
    draws = {
        "params": partial(rng.normal, 0.0, 1.0),
        "batch_stats": partial(rng.uniform, 0.02, 2.0),
    }
    return {
        kind: jax.tree.map(lambda a, draw=draws[kind]: draw(a.shape).astype(np.float32), tree)
        for kind, tree in variables.items()
    }


def subsampled(x, strides):
    t, h, w = strides
    return np.float64(x)[:, ::t, ::h, ::w]


def averaged(x, strides):
    """Averages 3 × 3 positions; those outside of the image are zeros."""
    if strides == (1, 1, 1):
        return np.float64(x)
    means = ndimage.uniform_filter(np.float64(x), (1, 1, 3, 3, 1), mode="constant", cval=0.0)
    return subsampled(means, strides)


def projected(variables, x, train=False, epsilon=1e-5):
    y = x @ np.float64(variables["params"]["conv"]["kernel"][0, 0, 0])
    if "norm" not in variables["params"]:
        return y, None
    params, stats = variables["params"]["norm"], variables["batch_stats"]["norm"]
    flat = y.reshape(-1, y.shape[-1])
    mean, var = (flat.mean(0), flat.var(0)) if train else (stats["mean"], stats["var"])
    y = (y - mean) / np.sqrt(np.float64(var) + epsilon) * params["scale"] + params["bias"]
    return y, {"mean": flat.mean(0), "var": flat.var(0, ddof=1)}


def reduced(name, x, strides):
    return averaged(x, strides) if name == "average_projection" else subsampled(x, strides)


def normed(inputs, outputs):
    return {
        "params": {
            "conv": {"kernel": (1, 1, 1, inputs, outputs)},
            "norm": {"scale": (outputs,), "bias": (outputs,)},
        },
        "batch_stats": {"norm": {"mean": (outputs,), "var": (outputs,)}},
    }


@pytest.mark.parametrize("strides", [(1, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("projection", 4, normed(4, 4)),
        ("projection", 6, normed(4, 6)),
        ("bare_projection", 4, {"params": {"conv": {"kernel": (1, 1, 1, 4, 4)}}}),
        ("bare_projection", 6, normed(4, 6)),
        ("average_projection", 4, {}),
        ("average_projection", 6, normed(4, 6)),
        ("pad", 4, {}),
        ("pad", 6, {}),
        ("pad_around", 4, {}),
        ("pad_around", 6, {}),
    ],
)
def test_shortcut_has_the_variables_it_needs(name, features, expected, strides):
    variables = jax.eval_shape(
        partial(shortcut(name, features, strides).init, train=False), jax.random.key(0), X
    )
    assert jax.tree.map(np.shape, variables) == expected


@pytest.mark.parametrize("strides", STRIDES)
@pytest.mark.parametrize("features", [4, 6, 2])
@pytest.mark.parametrize("name", ["projection", "bare_projection"])
def test_projecting_shortcut_is_a_strided_pointwise_convolution(name, features, strides):
    module = shortcut(name, features, strides)
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = projected(variables, subsampled(X, strides))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("strides", SPATIAL)
@pytest.mark.parametrize("features", [6, 2])
def test_averaging_shortcut_projects_the_means_of_neighbourhoods(features, strides):
    module = shortcut("average_projection", features, strides)
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = projected(variables, averaged(X, strides))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("strides", SPATIAL)
def test_averaging_shortcut_with_equal_channels_only_averages(strides):
    y = shortcut("average_projection", 4, strides).apply({}, X, train=False)
    expected = averaged(X, strides)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_averaging_shortcut_divides_by_nine_at_the_border_too():
    x = np.ones((1, 2, 5, 5, 1), np.float32)
    y = shortcut("average_projection", 1, (1, 2, 2)).apply({}, x, train=False)
    expected = np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) / 9
    for frame in np.asarray(y)[0, ..., 0]:
        np.testing.assert_allclose(frame, expected, rtol=1e-6)


def test_averaging_shortcut_rounds_a_mean_of_bfloat16_once():
    x = jnp.asarray(X, jnp.bfloat16)
    y = shortcut("average_projection", 4, (1, 2, 2)).apply({}, x, train=False)
    assert y.dtype == jnp.bfloat16
    half_a_bit = float(jnp.finfo(jnp.bfloat16).eps) / 2
    expected = averaged(np.float64(x), (1, 2, 2))
    np.testing.assert_allclose(np.float64(y), expected, rtol=half_a_bit, atol=1e-6)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("strides", STRIDES)
@pytest.mark.parametrize("features", [4, 10])
@pytest.mark.parametrize("name", PADS)
def test_padding_shortcut_subsamples_and_adds_empty_channels(name, features, strides, train):
    y = shortcut(name, features, strides).apply({}, X, train=train)
    before = (features - 4) // 2 if name == "pad_around" else 0
    picked = subsampled(X, strides)
    expected = np.zeros((*picked.shape[:-1], features))
    expected[..., before : before + 4] = picked
    assert y.dtype == X.dtype
    np.testing.assert_array_equal(y, np.float32(expected), strict=True)


@pytest.mark.parametrize("name", ["average_projection", *PADS])
def test_shortcut_without_change_of_shape_is_the_identity(name):
    y = shortcut(name, 4, (1, 1, 1)).apply({}, X, train=False)
    np.testing.assert_array_equal(y, X)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_shortcut_in_training_normalises_by_the_batch_and_updates_statistics(name):
    module = shortcut(name, 6, (1, 2, 2))
    variables = random_variables(module)
    y, updated = module.apply(variables, X, train=True, mutable=["batch_stats"])
    expected, batch = projected(variables, reduced(name, X, (1, 2, 2)), train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)
    for moment, old in variables["batch_stats"]["norm"].items():
        fresh = 0.9 * old + 0.1 * batch[moment]
        np.testing.assert_allclose(
            updated["batch_stats"]["norm"][moment], fresh, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("name", PROJECTIONS)
def test_shortcut_uses_the_norm_it_is_given(name):
    module = shortcut(name, 6, (1, 2, 2), partial(BatchNorm, epsilon=0.5))
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = projected(variables, reduced(name, X, (1, 2, 2)), epsilon=0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("name", [*PROJECTIONS, *PADS])
def test_shortcut_of_a_clip_does_not_depend_on_its_batch_in_evaluation(name):
    module = shortcut(name, 6, (1, 2, 2))
    variables = random_variables(module)
    whole = module.apply(variables, X, train=False)
    alone = module.apply(variables, X[1:], train=False)
    np.testing.assert_allclose(whole[1:], alone, rtol=1e-5, atol=5e-5)
