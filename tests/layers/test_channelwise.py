from functools import partial

import jax
import numpy as np
import pytest
from scipy import signal

from vidjax.layers.channelwise import InteractionPreserved, channelwise
from vidjax.layers.norm import BatchNorm

X = np.random.default_rng(0).normal(size=(2, 5, 7, 6, 4)).astype(np.float32)
CASES = [
    ((3, 3, 3), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2)),
    ((3, 5, 3), (1, 2, 3)),
    ((5, 1, 1), (2, 1, 1)),
    ((1, 3, 3), (1, 2, 2)),
]


def random_kernel(kernel_size, channels):
    return np.random.default_rng(1).normal(size=(*kernel_size, 1, channels)).astype(np.float32)


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


def correlated(x, kernel, strides=(1, 1, 1)):
    """Correlates each channel separately with SciPy, padded by k // 2, in float64."""
    pads = [(0, 0), *((size // 2, size // 2) for size in kernel.shape[:3]), (0, 0)]
    padded = np.pad(np.float64(x), pads)
    t, h, w = strides
    clips = [
        [
            signal.correlate(clip[..., c], np.float64(kernel[..., 0, c]), "valid", "direct")
            for c in range(x.shape[-1])
        ]
        for clip in padded
    ]
    return np.moveaxis(np.array(clips), 1, -1)[:, ::t, ::h, ::w]


def preserved(variables, x, strides=(1, 1, 1), train=False, epsilon=1e-5):
    """Computes the equations in float64; also returns the batch's mean and unbiased variance."""
    params, stats = variables["params"], variables["batch_stats"]["norm"]
    y = np.float64(x) @ params["point"]["kernel"][0, 0, 0]
    flat = y.reshape(-1, y.shape[-1])
    mean, var = (flat.mean(0), flat.var(0)) if train else (stats["mean"], stats["var"])
    y = (y - mean) / np.sqrt(np.float64(var) + epsilon)
    y = y * params["norm"]["scale"] + params["norm"]["bias"]
    y = correlated(y, params["channelwise"]["kernel"], strides)
    return y, {"mean": flat.mean(0), "var": flat.var(0, ddof=1)}


@pytest.mark.parametrize(("kernel_size", "strides"), CASES)
def test_channelwise_correlates_each_channel_by_itself(kernel_size, strides):
    kernel = random_kernel(kernel_size, 4)
    y = channelwise(4, kernel_size, strides).apply({"params": {"kernel": kernel}}, X)
    expected = correlated(X, kernel, strides)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_channelwise_has_one_kernel_per_channel_and_no_bias():
    variables = jax.eval_shape(channelwise(4, (3, 5, 1)).init, jax.random.key(0), X)
    assert jax.tree.map(np.shape, variables) == {"params": {"kernel": (3, 5, 1, 1, 4)}}


def test_channelwise_uses_the_given_module_name():
    assert channelwise(4, (3, 3, 3), name="shift").name == "shift"


def test_channelwise_keeps_channels_apart():
    x = X.copy()
    x[..., 2] += 1
    module = channelwise(4, (3, 3, 3))
    variables = {"params": {"kernel": random_kernel((3, 3, 3), 4)}}
    changed = np.asarray(module.apply(variables, x)) != np.asarray(module.apply(variables, X))
    assert changed[..., 2].all()
    assert not changed[..., [0, 1, 3]].any()


def test_channelwise_preserving_interactions_has_a_pointwise_and_a_channelwise_kernel():
    variables = jax.eval_shape(
        partial(InteractionPreserved(6).init, train=False), jax.random.key(0), X
    )
    assert jax.tree.map(np.shape, variables) == {
        "params": {
            "point": {"kernel": (1, 1, 1, 4, 6)},
            "norm": {"scale": (6,), "bias": (6,)},
            "channelwise": {"kernel": (3, 3, 3, 1, 6)},
        },
        "batch_stats": {"norm": {"mean": (6,), "var": (6,)}},
    }


@pytest.mark.parametrize(("kernel_size", "strides"), CASES)
def test_channelwise_preserving_interactions_follows_its_equations(kernel_size, strides):
    module = InteractionPreserved(6, kernel_size, strides)
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = preserved(variables, X, strides)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


def test_channelwise_preserving_interactions_has_no_activation_between():
    module = InteractionPreserved(6)
    variables = random_variables(module)
    # Without a mean or bias the module is linear, which an activation would break.
    variables["batch_stats"]["norm"]["mean"] = np.zeros(6, np.float32)
    variables["params"]["norm"]["bias"] = np.zeros(6, np.float32)
    one = module.apply(variables, X, train=False)
    np.testing.assert_allclose(module.apply(variables, -X, train=False), -one, atol=1e-6)
    assert np.abs(one).max() > 0.1


def test_channelwise_preserving_interactions_in_training_uses_batch_statistics():
    module = InteractionPreserved(6, strides=(1, 2, 2))
    variables = random_variables(module)
    y, updated = module.apply(variables, X, train=True, mutable=["batch_stats"])
    expected, batch = preserved(variables, X, (1, 2, 2), train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)
    for moment, old in variables["batch_stats"]["norm"].items():
        fresh = 0.9 * old + 0.1 * batch[moment]
        np.testing.assert_allclose(
            updated["batch_stats"]["norm"][moment], fresh, rtol=1e-5, atol=1e-5
        )


def test_channelwise_preserving_interactions_uses_the_norm_it_is_given():
    module = InteractionPreserved(6, norm=partial(BatchNorm, epsilon=0.5))
    variables = random_variables(module)
    y = module.apply(variables, X, train=False)
    expected, _ = preserved(variables, X, epsilon=0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=5e-5)


def test_channelwise_preserving_interactions_does_not_depend_on_the_batch_in_evaluation():
    module = InteractionPreserved(6)
    variables = random_variables(module)
    whole = module.apply(variables, X, train=False)
    alone = module.apply(variables, X[1:], train=False)
    np.testing.assert_allclose(whole[1:], alone, rtol=1e-5, atol=5e-5)
