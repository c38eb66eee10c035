from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from vidjax.layers.squeeze_excite import SqueezeExcite

X = np.random.default_rng(0).normal(0.5, 1.0, (3, 4, 3, 2, 8)).astype(np.float32)


def random_variables(width, x=X):
    rng = np.random.default_rng(1)
    variables = jax.eval_shape(
        partial(SqueezeExcite(width).init, train=False), jax.random.key(0), x
    )
    return jax.tree.map(lambda a: rng.normal(size=a.shape).astype(np.float32), variables)


@partial(jax.jit, static_argnames=("width", "train"))
def apply(variables, x=X, width=3, train=False):
    return SqueezeExcite(width).apply(variables, x, train=train)


def excited(variables, x):
    reduce, expand = (variables["params"][name] for name in ("reduce", "expand"))
    x = np.float64(x)
    hidden = np.maximum(x.mean((1, 2, 3)) @ reduce["kernel"] + reduce["bias"], 0)
    gate = expit(hidden @ np.float64(expand["kernel"]) + expand["bias"])
    return x * gate[:, None, None, None]


def test_squeeze_excite_has_two_linear_maps_with_biases():
    variables = random_variables(3)
    assert set(variables) == {"params"}
    assert set(variables["params"]) == {"reduce", "expand"}
    reduce, expand = (variables["params"][name] for name in ("reduce", "expand"))
    assert set(reduce) == set(expand) == {"kernel", "bias"}
    chex.assert_shape([reduce["kernel"], expand["kernel"]], [(8, 3), (3, 8)])
    chex.assert_shape([reduce["bias"], expand["bias"]], [(3,), (8,)])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("width", [1, 3, 12])
def test_squeeze_excite_scales_channels_by_a_gate_of_their_means(width, train):
    variables = random_variables(width)
    y = apply(variables, width=width, train=train)
    np.testing.assert_allclose(y, excited(variables, X), rtol=1e-5, atol=1e-6)


def test_squeeze_excite_with_zero_weights_halves_its_input():
    variables = jax.tree.map(jnp.zeros_like, random_variables(3))
    np.testing.assert_allclose(apply(variables), X / 2, rtol=1e-6)


def test_squeeze_excite_ignores_the_order_of_positions():
    variables = random_variables(3)
    flipped = apply(variables, X[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1]
    np.testing.assert_allclose(flipped, apply(variables), rtol=1e-5, atol=1e-6)


def test_squeeze_excite_of_a_clip_does_not_depend_on_its_batch():
    variables = random_variables(3)
    np.testing.assert_allclose(
        apply(variables)[1:2], apply(variables, X[1:2]), rtol=1e-5, atol=1e-6
    )


def test_squeeze_excite_keeps_bfloat16():
    x = jnp.asarray(X, jnp.bfloat16)
    assert apply(random_variables(3), x).dtype == jnp.bfloat16


def test_squeeze_excite_sends_gradients_to_every_parameter():
    weight = np.random.default_rng(2).normal(size=X.shape).astype(np.float32)
    gradients = jax.grad(lambda v: jnp.sum(weight * apply(v)))(random_variables(3))
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.abs(gradient).max() > 1e-4, jax.tree_util.keystr(path)
