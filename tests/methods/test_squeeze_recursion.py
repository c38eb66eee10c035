"""Tests squeeze and recursion against golden files and the equations in NumPy."""

import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from tests.quickly import quickly
from vidjax.methods.squeeze_recursion import SqueezeRecursion

GATES = {"lstm": 4, "gru": 3}
RNG = np.random.default_rng(0)
X = np.asarray(RNG.normal(1.0, 2.0, (3, 5, 2, 3, 4)), np.float32)


def cells(weights):
    """Returns the parameters of the recurrence by PyTorch's names."""
    layers = {}
    while f"weight_ih_l{len(layers)}" in weights:
        own, past, own_bias, past_bias = (
            weights[f"{part}_l{len(layers)}"]
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        layers[f"layer{len(layers) + 1}"] = {
            "input": {"kernel": own.T, "bias": own_bias},
            "recurrent_kernel": past.T,
            "recurrent_bias": past_bias,
        }
    return layers


def drawn(cell="lstm", layers=2, channels=4):
    """Draws parameters of the recurrence that are large enough for large states."""
    rng, size = np.random.default_rng(7), GATES[cell] * channels
    shapes = {"weight_ih": (size, channels), "weight_hh": (size, channels)}
    shapes |= {"bias_ih": (size,), "bias_hh": (size,)}
    names = [(name, layer) for layer in range(layers) for name in shapes]
    draw = {f"{name}_l{layer}": rng.normal(size=shapes[name]) for name, layer in names}
    return cells(jax.tree.map(np.float32, draw))


def lstm(own, past, h, c):
    """Computes eq. 4.1 to 4.5 of the thesis."""
    i, f, g, o = np.split(own + past, 4, axis=-1)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def gru(own, past, h, c):
    """Computes eq. 5.8 to 5.11 of the thesis, with the reset after the matrix product."""
    (r, z, n), (past_r, past_z, past_n) = np.split(own, 3, axis=-1), np.split(past, 3, axis=-1)
    z = expit(z + past_z)
    return (1 - z) * np.tanh(n + expit(r + past_r) * past_n) + z * h, c


def recur(x, params, cell="lstm"):
    """Computes the states of the last layer after each frame, in float64."""
    x, step = np.float64(x), {"lstm": lstm, "gru": gru}[cell]
    for name in sorted(params):
        layer = jax.tree.map(np.float64, params[name])
        h = c = np.zeros(x[:, 0].shape)
        states = []
        for frame in np.moveaxis(x, 1, 0):
            own = frame @ layer["input"]["kernel"] + layer["input"]["bias"]
            h, c = step(own, h @ layer["recurrent_kernel"] + layer["recurrent_bias"], h, c)
            states.append(h)
        x = np.stack(states, axis=1)
    return x


def account(x, params, cell="lstm", fuse="multiply"):
    """Computes output and states in float64."""
    x = np.float64(x)
    h = recur(x.mean((2, 3)), params, cell)
    states = h[:, :, None, None]
    return (x * states if fuse == "multiply" else x + states), h


def applied(x, params, form):
    method, train, settings = form
    more = {} if method else {"train": train}
    variables = {"params": {"recurrence": params}}
    with jax.default_matmul_precision("highest"):
        return SqueezeRecursion(**dict(settings)).apply(variables, x, method=method, **more)


compiled = quickly(applied, static_argnames="form")


def run(x=X, params=None, method=None, train=False, **settings):
    return compiled(x, params or drawn(), (method, train, tuple(sorted(settings.items()))))


def test_golden_pooled_frames_states_and_outputs(shared):
    golden = np.load(shared / "golden/squeeze_recursion.npz")
    cases = [name.removesuffix("_x") for name in golden if name.endswith("_x")]
    assert cases
    for case in cases:
        cell, layers = re.fullmatch(r"([a-z]+)(\d)", case).groups()
        prefix = f"{case}_w/op/"
        params = cells({key.removeprefix(prefix): golden[key] for key in golden if prefix in key})
        x = golden[f"{case}_x"].transpose(0, 2, 3, 4, 1)
        y, pooled, h = run(x, params, "parts", cell=cell, layers=int(layers))
        near = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
        near(pooled, golden[f"{case}_pooled"].transpose(0, 2, 1))
        near(h, golden[f"{case}_h"].transpose(0, 2, 1))
        near(y, golden[f"{case}_y"].transpose(0, 2, 3, 4, 1))


@pytest.mark.parametrize(
    ("cell", "layers", "frames"), [("lstm", 3, 5), ("gru", 1, 1), ("lstm", 2, 1)]
)
@pytest.mark.parametrize("fuse", ["multiply", "add"])
def test_it_follows_the_equations(cell, layers, frames, fuse):
    x, params = X[:, :frames], drawn(cell, layers)
    y = run(x, params, cell=cell, layers=layers, fuse=fuse)
    np.testing.assert_allclose(y, account(x, params, cell, fuse)[0], rtol=1e-5, atol=1e-5)


def test_the_default_is_two_lstm_layers_multiplied():
    y = run()
    np.testing.assert_allclose(y, account(X, drawn("lstm", 2))[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(run(train=True), y)


def test_factors_attenuate_and_may_change_the_sign():
    y = np.asarray(run(abs(X)))
    assert (abs(y) < abs(X)).all()
    assert y.min() < 0 < y.max()


def test_states_depend_only_on_earlier_frames():
    later = np.concatenate([X[:, :3], -X[:, 3:]], axis=1)
    y, changed = run(), run(later)
    np.testing.assert_array_equal(y[:, :3], changed[:, :3])
    assert not np.allclose(abs(y[:, 3:]), abs(changed[:, 3:]))


def test_clips_of_a_batch_are_independent():
    y, changed = run(), run(np.concatenate([X[:1], 3 * X[1:]]))
    np.testing.assert_allclose(changed[:1], y[:1], atol=1e-6)
    np.testing.assert_allclose(run(X[:1]), y[:1], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 6), (1, 1), (6, 1)])
def test_states_depend_only_on_the_mean_of_a_frame(shape):
    x = X.reshape(3, 5, 6, 1, 4)
    x = x.mean(2, keepdims=True) if shape == (1, 1) else x.reshape(3, 5, *shape, 4)
    _, pooled, states = run(x, method="parts")
    np.testing.assert_allclose(pooled, np.float64(X).mean((2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(states, account(X, drawn())[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 2), ("lstm", 1), ("gru", 2)])
def test_each_gate_has_two_matrices_and_two_biases_per_layer(cell, layers):
    module = SqueezeRecursion(cell=cell, layers=layers)
    init = functools.partial(module.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), np.zeros((2, 3, 4, 4, 24)))
    expected = {"params": {"recurrence": drawn(cell, layers, 24)}}
    chex.assert_trees_all_equal_shapes_and_dtypes(variables, expected)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables))
    assert count == layers * GATES[cell] * (2 * 24**2 + 2 * 24)


def test_gradients_are_those_of_the_equations():
    rng = np.random.default_rng(3)
    weights, x_way = rng.normal(size=X.shape), rng.normal(size=X.shape)
    params = drawn()
    way = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)
    form = (None, True, ())
    loss = jax.grad(lambda x, params: (weights * applied(x, params, form)).sum(), (0, 1))
    by_x, by_params = quickly(loss)(X, params)

    def ahead(step, x_step):
        moved = jax.tree.map(lambda leaf, to: leaf + step * to, params, way)
        return (weights * account(X + x_step * x_way, moved)[0]).sum()

    slope = (ahead(1e-6, 0) - ahead(-1e-6, 0)) / 2e-6
    parts = jax.tree.map(lambda grad, to: float((grad * to).sum()), by_params, way)
    assert sum(jax.tree.leaves(parts)) == pytest.approx(slope, rel=1e-4)
    slope = (ahead(0, 1e-6) - ahead(0, -1e-6)) / 2e-6
    assert float((by_x * x_way).sum()) == pytest.approx(slope, rel=1e-4)


def test_bfloat16_is_kept_while_frames_and_states_are_float32():
    x = jnp.asarray(X + 8, jnp.bfloat16)
    y, pooled, states = run(x, method="parts")
    assert (y.dtype, pooled.dtype, states.dtype) == (jnp.bfloat16, jnp.float32, jnp.float32)
    assert run(x).dtype == jnp.bfloat16
    expected, h = account(x, drawn())
    np.testing.assert_allclose(pooled, np.float64(x).mean((2, 3)), rtol=1e-6)
    np.testing.assert_allclose(states, h, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.float64(y), expected, rtol=2 * jnp.finfo(x.dtype).eps, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "elman"}, "'elman'.*lstm.*gru"),
        ({"fuse": "concat"}, "'concat'.*multiply.*add"),
        ({"layers": 0}, "layers = 0"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        run(**settings)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("fuse", ["multiply", "add"])
def test_averaged_states_are_means_over_separately_processed_frames(cell, fuse):
    params = drawn(cell)
    y, pooled, h = run(params=params, method="parts", cell=cell, fuse=fuse, states="averaged")
    alone = [account(X[:, t : t + 1], params, cell)[1] for t in range(X.shape[1])]
    expected = np.repeat(np.mean(alone, axis=0), X.shape[1], axis=1)
    np.testing.assert_allclose(h, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pooled, X.mean((2, 3)), rtol=1e-5, atol=1e-6)
    states = expected[:, :, None, None]
    fused = X * states if fuse == "multiply" else X + states
    np.testing.assert_allclose(y, fused, rtol=1e-5, atol=1e-5)
    assert abs(h - recur(X.mean((2, 3)), params, cell)).max() > 0.05


def test_averaged_states_ignore_the_order_of_frames():
    order = [3, 0, 4, 1, 2]
    y = run(states="averaged")
    np.testing.assert_allclose(run(X[:, order], states="averaged"), y[:, order], rtol=1e-5)
    assert abs(run(X[:, order]) - run()[:, order]).max() > 0.05


def test_averaged_states_have_the_parameters_of_recurrent_ones():
    shapes = [
        jax.eval_shape(SqueezeRecursion(states=states).init, jax.random.key(0), X)
        for states in ("recurrent", "averaged")
    ]
    chex.assert_trees_all_equal(*shapes)


@pytest.mark.parametrize(("fuse", "nothing"), [("multiply", 1.0), ("add", 0.0)])
def test_learned_states_are_one_parameter_per_channel_without_initial_effect(fuse, nothing):
    module = SqueezeRecursion(states="learned", fuse=fuse)
    variables = module.init(jax.random.key(0), X)
    chex.assert_trees_all_equal(variables, {"params": {"scale": np.full(4, nothing, np.float32)}})
    np.testing.assert_array_equal(module.apply(variables, X), X)
    scale = np.float32([0.5, -1.0, 0.0, 3.0])
    y, _, h = module.apply({"params": {"scale": scale}}, X, method="parts")
    np.testing.assert_array_equal(h, np.broadcast_to(scale, h.shape))
    np.testing.assert_allclose(y, X * scale if fuse == "multiply" else X + scale, rtol=1e-6)
