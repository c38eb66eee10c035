from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax

from vidjax.layers.temporal_adaptive import TemporalAdaptive

RNG = np.random.default_rng(0)
X = RNG.normal(0.5, 1.0, (3, 6, 3, 2, 8)).astype(np.float32)


def random_variables(x=X):
    rng = np.random.default_rng(1)
    variables = jax.eval_shape(partial(TemporalAdaptive().init, train=False), jax.random.key(0), x)
    # Small variances, so that the epsilon of the norms counts.
    return {
        "params": jax.tree.map(
            lambda a: rng.normal(0, 0.5, a.shape).astype(np.float32), variables["params"]
        ),
        "batch_stats": jax.tree.map(
            lambda a: rng.uniform(0.02, 0.5, a.shape).astype(np.float32), variables["batch_stats"]
        ),
    }


@jax.jit
def apply(variables, x=X):
    return TemporalAdaptive().apply(variables, x, train=False)


def normalised(x, params, stats, train):
    """Normalises all axes but the last; also returns the batch's mean and unbiased variance."""
    flat = x.reshape(-1, x.shape[-1])
    batch = {"mean": flat.mean(0), "var": flat.var(0, ddof=1)}
    mean, var = (flat.mean(0), flat.var(0)) if train else (stats["mean"], stats["var"])
    y = (x - mean) / np.sqrt(np.float64(var) + 1e-5) * params["scale"] + params["bias"]
    return y, batch


def adapted(variables, x, train=False):
    """Computes in float64: output, kernels G `[B, C, 3]`, weights L and statistics."""
    params, stats = variables["params"], variables["batch_stats"]
    x = np.float64(x)
    frames = x.shape[1]
    theta = x.mean((2, 3))

    hidden = np.swapaxes(theta, 1, 2) @ params["global1"]["kernel"]
    hidden, global_batch = normalised(hidden, params["global_norm"], stats["global_norm"], train)
    kernels = softmax(np.maximum(hidden, 0) @ params["global2"]["kernel"], axis=-1)

    padded = np.pad(theta, [(0, 0), (1, 1), (0, 0)])
    local = sum(padded[:, k : k + frames] @ params["local_kernel1"][k] for k in range(3))
    local, local_batch = normalised(local, params["local_norm"], stats["local_norm"], train)
    weights = expit(np.maximum(local, 0) @ params["local2"]["kernel"])

    padded = np.pad(x * weights[:, :, None, None], [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)])
    y = sum(kernels[:, None, None, None, :, k] * padded[:, k : k + frames] for k in range(3))
    return y, kernels, weights, {"global_norm": global_batch, "local_norm": local_batch}


def test_adaptive_has_the_parameters_of_its_two_branches_and_no_bias():
    variables = jax.eval_shape(partial(TemporalAdaptive().init, train=False), jax.random.key(0), X)
    assert jax.tree.map(np.shape, variables) == {
        "params": {
            "global1": {"kernel": (6, 12)},
            "global_norm": {"scale": (12,), "bias": (12,)},
            "global2": {"kernel": (12, 3)},
            "local_kernel1": (3, 8, 2),
            "local_norm": {"scale": (2,), "bias": (2,)},
            "local2": {"kernel": (2, 8)},
        },
        "batch_stats": {
            "global_norm": {"mean": (12,), "var": (12,)},
            "local_norm": {"mean": (2,), "var": (2,)},
        },
    }


@pytest.mark.parametrize("frames", [1, 6])
def test_adaptive_follows_its_equations(frames):
    x = X[:, :frames]
    variables = random_variables(x)
    y = apply(variables, x)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, adapted(variables, x)[0], rtol=1e-5, atol=1e-5)


def test_adaptive_in_training_normalises_by_the_batch_and_updates_statistics():
    variables = random_variables()
    y, updated = TemporalAdaptive().apply(variables, X, train=True, mutable=["batch_stats"])
    expected, _, _, batch = adapted(variables, X, train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for name, stats in variables["batch_stats"].items():
        for moment, old in stats.items():
            np.testing.assert_allclose(
                updated["batch_stats"][name][moment],
                0.9 * old + 0.1 * batch[name][moment],
                rtol=1e-5,
                atol=1e-6,
            )


def test_adaptive_kernels_are_positive_and_sum_to_one():
    x = np.broadcast_to(RNG.uniform(1, 2, (3, 1, 1, 1, 8)), X.shape).astype(np.float32)
    variables = random_variables(x)
    variables["params"]["local2"]["kernel"] = np.zeros((2, 8), np.float32)
    y = np.asarray(apply(variables, x))
    # With weights of one half: inside, all three taps see equal values; at an end one is missing.
    np.testing.assert_allclose(y[:, 1:-1], x[:, 1:-1] / 2, rtol=1e-5)
    assert (y[:, [0, -1]] > 0).all()
    assert (y[:, [0, -1]] < x[:, [0, -1]] / 2).all()


def test_adaptive_with_equal_taps_and_half_weights_is_a_sliding_mean():
    variables = random_variables()
    for name in ("global2", "local2"):
        kernel = variables["params"][name]["kernel"]
        variables["params"][name]["kernel"] = np.zeros_like(kernel)
    padded = np.pad(np.float64(X), [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)])
    expected = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 6
    np.testing.assert_allclose(apply(variables), expected, rtol=1e-5, atol=1e-6)


def test_adaptive_kernels_differ_between_clips_and_channels():
    variables = random_variables()
    # One row gains what another loses, so the means, kernels and weights stay the same. The output
    # then changes only through the taps.
    change = np.zeros_like(X)
    change[:, 2, 0], change[:, 2, 1] = 1, -1
    response = np.asarray(apply(variables, X + change)) - np.asarray(apply(variables))
    _, kernels, weights, _ = adapted(variables, X)
    expected = np.zeros_like(response)
    for k, frame in ((2, 1), (1, 2), (0, 3)):
        tap = (kernels[:, :, k] * weights[:, 2])[:, None]
        expected[:, frame, 0], expected[:, frame, 1] = tap, -tap
    np.testing.assert_allclose(response, expected, atol=1e-5)
    assert np.ptp(response[:, 1:4, 0, 0], axis=0).min() > 1e-4
    assert np.ptp(response[:, 1:4, 0, 0], axis=2).min() > 1e-4


def test_adaptive_of_a_clip_does_not_depend_on_its_batch_in_evaluation():
    variables = random_variables()
    np.testing.assert_allclose(
        apply(variables)[1:2], apply(variables, X[1:2]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("train", [False, True])
def test_adaptive_sends_gradients_to_every_parameter(train):
    variables = random_variables()
    weight = np.random.default_rng(2).normal(size=X.shape).astype(np.float32)

    @jax.jit
    @partial(jax.grad, argnums=(0, 1))
    def gradient(params, x):
        y, _ = TemporalAdaptive().apply(
            {**variables, "params": params}, x, train=train, mutable=["batch_stats"]
        )
        return jnp.sum(weight * y)

    for path, slope in jax.tree_util.tree_leaves_with_path(gradient(variables["params"], X)):
        assert np.isfinite(slope).all(), jax.tree_util.keystr(path)
        assert np.abs(slope).max() > 1e-3, jax.tree_util.keystr(path)


def test_adaptive_gradients_are_those_of_the_equations():
    variables = random_variables()
    rng = np.random.default_rng(3)
    weight = rng.normal(size=X.shape)
    params = jax.tree.map(np.float64, variables["params"])
    gradients = jax.grad(
        lambda params: jnp.sum(np.float32(weight) * apply({**variables, "params": params}))
    )(variables["params"])

    def value(direction, step):
        moved = jax.tree.map(lambda a, d: a + step * d, params, direction)
        return (weight * adapted({**variables, "params": moved}, X)[0]).sum()

    for _ in range(4):
        direction = jax.tree.map(lambda a: rng.normal(size=a.shape), params)
        expected = (value(direction, 1e-6) - value(direction, -1e-6)) / 2e-6
        products = jax.tree.map(lambda g, d: (np.float64(g) * d).sum(), gradients, direction)
        assert sum(jax.tree.leaves(products)) == pytest.approx(expected, rel=1e-4)
