"""Tests recurrent cells against golden files, and against their equations in a float64 loop."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from tests.quickly import UNOPTIMIZED
from vidjax.layers.recurrence import CELLS, Recurrence

GATES = {"rnn": 1, "lstm": 4, "peephole_lstm": 4, "gru": 3, "gru_reset_before": 3}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 3)).astype(np.float32)
UPSTREAM = RNG.normal(size=X.shape).astype(np.float32)


def is_shape(leaf):
    return isinstance(leaf, tuple)


def shapes(cell, layers=2, width=3):
    init = Recurrence(cell, layers).init
    x = jax.ShapeDtypeStruct((1, 2, width), jnp.float32)
    return jax.tree.map(jnp.shape, jax.eval_shape(init, jax.random.key(0), x)["params"])


def draw_params(cell):
    def draw(shape):
        return RNG.normal(size=shape).astype(np.float32)

    return jax.tree.map(draw, shapes(cell), is_leaf=is_shape)


PARAMS = {cell: draw_params(cell) for cell in GATES}


@functools.partial(jax.jit, static_argnums=0, compiler_options=UNOPTIMIZED)
def run(cell, params, x):
    """Returns states, and gradients of their product with `UPSTREAM`."""

    def loss(params, x):
        states = Recurrence(cell, len(params)).apply({"params": params}, x)
        return (states * UPSTREAM[: len(x), : x.shape[1]]).sum(), states

    gradients, states = jax.grad(loss, (0, 1), has_aux=True)(params, x)
    return states, gradients


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(cell, params, x, h, c):
    """Computes equations 4.1 to 4.5 and 5.8 to 5.11 with both biases."""
    kernel, bias = params["recurrent_kernel"], params["recurrent_bias"]
    width = h.shape[-1]
    given = x @ params["input"]["kernel"] + params["input"]["bias"]
    kept = h @ kernel + bias
    given, kept = (np.split(part, GATES[cell], -1) for part in (given, kept))
    if cell == "rnn":
        return np.tanh(given[0] + kept[0]), c
    if cell in ("lstm", "peephole_lstm"):
        i, f, g, o = (a + b for a, b in zip(given, kept, strict=True))
        look = params.get("peephole", np.zeros((3, width)))
        new = sigmoid(f + look[1] * c) * c + sigmoid(i + look[0] * c) * np.tanh(g)
        return sigmoid(o + look[2] * new) * np.tanh(new), new
    r, z = (sigmoid(a + b) for a, b in zip(given[:2], kept[:2], strict=True))
    if cell == "gru":
        candidate = np.tanh(given[2] + r * kept[2])
    else:
        candidate = np.tanh(given[2] + (r * h) @ kernel[:, 2 * width :] + bias[2 * width :])
    return z * h + (1 - z) * candidate, c


def account(cell, params, x):
    params, states = jax.tree.map(np.float64, (params, x))
    for layer in range(1, len(params) + 1):
        h = c = np.zeros_like(states[:, 0])
        outputs = []
        for frame in range(states.shape[1]):
            h, c = step(cell, params[f"layer{layer}"], states[:, frame], h, c)
            outputs.append(h)
        states = np.stack(outputs, 1)
    return states


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_golden_states(shared, kind):
    golden = np.load(shared / "golden/squeeze_recursion.npz")
    cases = [name.removesuffix("_h") for name in golden if re.fullmatch(f"{kind}[0-9]+_h", name)]
    assert cases
    names = {"weight_ih": ("input", "kernel"), "bias_ih": ("input", "bias")}
    names |= {"weight_hh": ("recurrent_kernel",), "bias_hh": ("recurrent_bias",)}
    for case in cases:
        params = {}
        for key in [key for key in golden if key.startswith(f"{case}_w/")]:
            what, layer = re.fullmatch(r".*/(\w+)_l(\d+)", key).groups()
            place = params.setdefault(f"layer{int(layer) + 1}", {"input": {}})
            *path, leaf = names[what]
            (place[path[0]] if path else place)[leaf] = golden[key].T
        x, expected = (golden[f"{case}_{key}"].transpose(0, 2, 1) for key in ("pooled", "h"))
        layers = len(params)
        assert layers == int(case.removeprefix(kind))
        states = jax.jit(Recurrence(kind, layers).apply, compiler_options=UNOPTIMIZED)(
            {"params": params}, x
        )
        np.testing.assert_allclose(states, expected, rtol=1e-5, atol=1e-5, err_msg=case)


@pytest.mark.parametrize("cell", GATES)
def test_states_and_gradients_are_those_of_the_equations(cell):
    params, rng = PARAMS[cell], np.random.default_rng(1)
    states, gradients = run(cell, params, X)
    assert states.dtype == jnp.float32
    np.testing.assert_allclose(states, account(cell, params, X), rtol=1e-5, atol=1e-5)
    for leaf in jax.tree.leaves(gradients):
        assert jnp.abs(leaf).max() > 0
    # The directional derivative of the reference over all parameters and the input.
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), (params, X))

    def moved(size):
        args = jax.tree.map(lambda leaf, way: np.float64(leaf) + size * way, (params, X), direction)
        return (UPSTREAM * account(cell, *args)).sum()

    slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
    products = jax.tree.map(lambda a, b: (np.float64(a) * b).sum(), gradients, direction)
    assert sum(jax.tree.leaves(products)) == pytest.approx(slope, rel=1e-4)


def test_all_cells_differ():
    lstm = PARAMS["peephole_lstm"]
    without = jax.tree.map(np.zeros_like, lstm)
    blind = {name: {**layer, "peephole": without[name]["peephole"]} for name, layer in lstm.items()}
    plain = {
        name: {key: leaf for key, leaf in layer.items() if key != "peephole"}
        for name, layer in lstm.items()
    }
    states = run("lstm", plain, X)[0]
    np.testing.assert_allclose(run("peephole_lstm", blind, X)[0], states, atol=1e-6)
    assert not np.allclose(run("peephole_lstm", lstm, X)[0], states, atol=1e-2)
    gru = PARAMS["gru"]
    assert not np.allclose(run("gru", gru, X)[0], run("gru_reset_before", gru, X)[0], atol=1e-2)


@pytest.mark.parametrize("cell", GATES)
def test_states_depend_only_on_earlier_frames_of_the_same_clip(cell):
    states, _ = run(cell, PARAMS[cell], X)
    changed = X.copy()
    changed[0, 2] += 1
    found, _ = run(cell, PARAMS[cell], changed)
    np.testing.assert_array_equal(found[:, :2], states[:, :2])
    np.testing.assert_array_equal(found[1], states[1])
    assert (np.abs(found - states)[0, 2:] > 0).any(-1).all()


def test_clips_of_one_frame_are_one_step():
    found = Recurrence("lstm", 2).apply({"params": PARAMS["lstm"]}, X[:, :1])
    np.testing.assert_allclose(found, account("lstm", PARAMS["lstm"], X)[:, :1], atol=1e-5)


@pytest.mark.parametrize("cell", GATES)
def test_huge_inputs_saturate_without_nan(cell):
    states, gradients = run(cell, PARAMS[cell], np.sign(X) * np.float32(1e4))
    assert np.abs(states).max() <= 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_bfloat16_gives_float32_states():
    x = jnp.asarray(X, jnp.bfloat16)
    states, (_, gradient) = run("gru", PARAMS["gru"], x)
    assert (states.dtype, gradient.dtype) == (jnp.float32, jnp.bfloat16)
    np.testing.assert_allclose(states, account("gru", PARAMS["gru"], x), rtol=1e-5, atol=1e-5)


def products(program, inside=False):
    """Returns the shapes of a program's matrix products, and whether they are in a loop."""
    for equation in program.eqns:
        if equation.primitive.name == "dot_general":
            yield inside, [operand.aval.shape for operand in equation.invars]
        for inner in jaxprs_in_params(equation.params):
            yield from products(inner, inside or equation.primitive.name in ("scan", "while"))


@pytest.mark.parametrize("cell", GATES)
def test_the_projections_of_all_frames_are_one_product(cell):
    apply, params = Recurrence(cell, 1).apply, {"layer1": PARAMS[cell]["layer1"]}
    found = list(products(jax.make_jaxpr(apply)({"params": params}, X).jaxpr))
    (before,) = [operands for inside, operands in found if not inside]
    assert X.size in map(np.prod, before)
    # A reset before the matrix product needs the gates first.
    assert sum(inside for inside, _ in found) == (2 if cell == "gru_reset_before" else 1)


def test_each_layer_has_pytorchs_parameters():
    width = 5
    for cell, gates in GATES.items():
        sizes = jax.tree.map(np.prod, shapes(cell, 3, width), is_leaf=is_shape)
        peephole = 3 * width if cell == "peephole_lstm" else 0
        expected = 2 * gates * (width**2 + width) + peephole
        assert [sum(jax.tree.leaves(layer)) for layer in sizes.values()] == [expected] * 3
    assert set(CELLS) == set(GATES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "elman"}, "cell = 'elman': must be one of rnn, lstm, peephole_lstm, gru"),
        ({"layers": 0}, "layers = 0: .*at least 1"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Recurrence(**settings).init(jax.random.key(0), X)
