import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.layers.temporal_aggregation import TemporalAggregation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 3, 2, 6)).astype(np.float32)
PARAMS = {name: RNG.normal(size=6).astype(np.float32) for name in ("previous", "current", "next")}


def apply(x=X, params=PARAMS, train=False):
    return TemporalAggregation().apply({"params": params}, x, train=train)


def aggregated(x, params):
    x = np.float64(x)
    y = np.zeros_like(x)
    for t in range(x.shape[1]):
        for name, source in (("previous", t - 1), ("current", t), ("next", t + 1)):
            if 0 <= source < x.shape[1]:
                y[:, t] += params[name] * x[:, source]
    return np.maximum(y, 0)


def test_aggregation_has_one_weight_per_channel_and_frame():
    variables = TemporalAggregation().init(jax.random.key(0), X, train=False)
    assert set(variables) == {"params"}
    assert set(variables["params"]) == {"previous", "current", "next"}
    chex.assert_shape(jax.tree.leaves(variables), (6,))


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_aggregation_is_the_rectified_weighted_sum_of_neighbouring_frames(frames, train):
    x = X[:, :frames]
    y = apply(x, train=train)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, aggregated(x, PARAMS), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "step"), [("previous", 1), ("current", 0), ("next", -1)])
def test_aggregation_weight_moves_an_impulse_to_the_frame_that_sees_it(name, step):
    x = np.zeros((1, 5, 2, 2, 6), np.float32)
    x[:, 2] = 1
    params = {key: np.full(6, float(key == name), np.float32) for key in PARAMS}
    np.testing.assert_array_equal(apply(x, params), np.roll(x, step, axis=1))


def test_aggregation_of_a_clip_does_not_depend_on_its_batch():
    np.testing.assert_allclose(apply()[1:], apply(X[1:]), rtol=1e-6)


def test_aggregation_keeps_bfloat16():
    assert apply(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


def test_aggregation_gradients_are_those_of_the_equation():
    weight = np.random.default_rng(1).normal(size=X.shape).astype(np.float32)
    gradients = jax.grad(lambda params: jnp.sum(weight * apply(params=params)))(PARAMS)
    through = np.where(aggregated(X, PARAMS) > 0, np.float64(weight), 0)
    padded = np.pad(np.float64(X), [(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)])
    for k, name in enumerate(("previous", "current", "next")):
        expected = (through * padded[:, k : k + 5]).sum((0, 1, 2, 3))
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-5, atol=1e-5)
