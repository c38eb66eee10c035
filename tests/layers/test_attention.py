"""Tests layers of the networks that the papers compare with, against their equations in NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from vidjax.layers.collaborative_conv import CollaborativeConv
from vidjax.layers.compact_non_local import CompactNonLocal
from vidjax.layers.global_descriptor import GlobalDescriptor
from vidjax.layers.non_local import NonLocal
from vidjax.layers.self_gating import SelfGating
from vidjax.layers.temporal_mixture import TemporalMixtureConv, mixture_curves

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 6, 8)).astype(np.float32)


def run(module, x=X, seed=1, **kwargs):
    """Runs a module with random parameters; returns its result, and the parameters by path."""
    variables = module.init(jax.random.key(0), x, **kwargs)
    rng = np.random.default_rng(seed)
    variables = jax.tree.map(lambda leaf: rng.uniform(0.1, 1, leaf.shape), variables)
    y = jax.jit(lambda v, a: module.apply(v, a, **kwargs))(variables, x)
    paths = jax.tree_util.tree_leaves_with_path(variables)
    named = {"/".join(part.key for part in path[:]): np.asarray(leaf) for path, leaf in paths}
    return np.asarray(y), {name.split("/", 1)[1]: leaf for name, leaf in named.items()}


def dense(x, weights, name):
    kernel = weights[f"{name}/kernel"]
    return x @ kernel.reshape(kernel.shape[-2:]) + weights.get(f"{name}/bias", 0)


def halved(x):
    batch, frames, height, width, channels = x.shape
    return x.reshape(batch, frames, height // 2, 2, width // 2, 2, channels).max((3, 5))


def attended(weights, variant, similarity):
    """Computes eq. 1 to 6 of Wang et al. position by position."""
    queries = dense(X, weights, "query")
    keys = dense(halved(X) if variant == "wang" else X, weights, "key")
    values = dense(halved(X) if variant == "wang" else X, weights, "value")
    if variant == "mmaction2":
        keys, values = halved(keys), halved(values)
    y = np.zeros(queries.shape)
    for clip in range(len(X)):
        k, v = keys[clip].reshape(-1, 4), values[clip].reshape(-1, 4)
        for place in np.ndindex(X.shape[1:4]):
            products = k @ queries[(clip, *place)]
            scale = 1 if variant == "mmaction2" else 2  # sqrt(4) channels
            shares = products / len(k) if similarity == "dot" else special.softmax(products / scale)
            y[(clip, *place)] = shares @ v
    y = dense(y, weights, "expand")
    deviation = np.sqrt(weights["norm/var"] + 1e-5)
    return X + (y - weights["norm/mean"]) / deviation * weights["norm/scale"] + weights["norm/bias"]


@pytest.mark.parametrize(
    ("variant", "similarity"),
    [("wang", "softmax"), ("wang", "dot"), ("mmaction2", "softmax"), ("cgnl", "softmax")],
)
def test_each_position_attends_to_all(variant, similarity):
    y, weights = run(NonLocal(variant, similarity), train=False)
    np.testing.assert_allclose(y, attended(weights, variant, similarity), rtol=2e-5, atol=2e-5)


def test_compact_attention_is_one_number_per_group():
    y, weights = run(CompactNonLocal(channel_groups=2), train=False)
    t, p, g = (
        dense(X, weights, name).reshape(*X.shape[:4], 2, 2) for name in ("query", "key", "value")
    )
    products = (p * g).sum((1, 2, 3, 5))
    z = t * products[:, None, None, None, :, None]
    # Inputs per group, groups, outputs per group.
    out = np.einsum("bthwgi,igo->bthwgo", z, weights["expand/kernel"].reshape(2, 2, 4))
    mean, var = out.mean((1, 2, 3, 5), keepdims=True), out.var((1, 2, 3, 5), keepdims=True)
    normed = ((out - mean) / np.sqrt(var + 1e-5)).reshape(X.shape)
    expected = X + normed * weights["norm/scale"] + weights["norm/bias"]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_descriptors_weight_channels_by_means_and_maxima():
    y, weights = run(GlobalDescriptor(), train=False)
    means, maxima = X.mean((1, 2, 3)), X.max((1, 2, 3))
    shares = special.softmax(means, axis=1)
    first = np.tanh(means @ weights["w0"] * shares + weights["bias0"])
    second = np.tanh(maxima @ weights["w1"] * shares + weights["bias1"])
    factor = 1 + np.tanh(second @ weights["w2"] * first + weights["bias2"])
    np.testing.assert_allclose(y, X * factor[:, None, None, None], rtol=1e-5, atol=1e-6)


def test_a_gate_is_a_matrix_of_means():
    y, weights = run(SelfGating())
    gate = special.expit(dense(X.mean((1, 2, 3)), weights, "weigh"))
    np.testing.assert_allclose(y, X * gate[:, None, None, None], rtol=1e-5, atol=1e-6)


def convolved(x, kernel):
    pads = [(0, 0), *((size // 2, size // 2) for size in kernel.shape[:3]), (0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, pads), kernel.shape[:3], (1, 2, 3))
    return np.einsum("nthwiabc,abcio->nthwo", windows, kernel, optimize=True)


@pytest.mark.parametrize("variant", ["a", "b"])
def test_one_kernel_convolves_three_views(variant):
    y, weights = run(CollaborativeConv(5, variant=variant))
    kernel = weights["kernel"]
    views = [
        convolved(X, kernel.reshape(*shape, 8, 5)) for shape in ((1, 3, 3), (3, 1, 3), (3, 3, 1))
    ]
    if variant == "a":
        scores = weights["alpha"].T[None]
    else:
        maxima = np.stack([view.max((1, 2, 3)) for view in views], 1)
        mixed = maxima @ weights["channels/kernel"]
        scores = np.einsum("bvo,vw->bwo", mixed, weights["views/kernel"])
    shares = special.softmax(scores, axis=1)
    expected = sum(shares[:, number, None, None, None] * view for number, view in enumerate(views))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_curves_extend_a_kernel_in_time():
    y, weights = run(TemporalMixtureConv(5, frames=3))
    curves = mixture_curves(weights["centre"], weights["gamma"], 3)
    np.testing.assert_allclose(curves.sum(1), 1, atol=1e-5)
    middle = (np.tanh(weights["centre"]) + 1)[:, None]
    width = np.exp(1.5 - 2 * np.abs(np.tanh(weights["gamma"])))[:, None]
    plain = 1 / (np.pi * width * ((np.arange(3) - middle) / width) ** 2 + 1)
    np.testing.assert_allclose(curves, plain / plain.sum(1, keepdims=True), atol=1e-5)
    spread = (special.softmax(weights["attention"], axis=0).T @ np.asarray(curves)).T
    kernel = weights["kernel"] * spread.reshape(3, 1, 1, 8, 5)
    np.testing.assert_allclose(y, convolved(X, kernel), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "module", [NonLocal(), CompactNonLocal(channel_groups=2)], ids=["non-local", "compact"]
)
def test_a_block_starts_as_the_identity_and_learns(module: nn.Module):
    variables = module.init(jax.random.key(0), X, train=False)

    def total(params):
        y = module.apply({**variables, "params": params}, X, train=False)
        return jnp.sum(jnp.sin(y)), y

    (_, y), gradient = jax.value_and_grad(total, has_aux=True)(variables["params"])
    np.testing.assert_array_equal(y, X)
    assert np.abs(gradient["norm"]["scale"]).max() > 0
