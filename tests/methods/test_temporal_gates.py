"""Tests temporal gates: which clips are fused, and which gradients flow."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.methods import test_squeeze_recursion as recursion
from tests.methods.test_gate_decisions import account, feed
from vidjax.methods.temporal_gates import TemporalGate, openness, reading

RNG = np.random.default_rng(0)

# A constructed gate: clips 0 and 2 have four very different frames, clip 1 has four similar ones.
# With one layer of cells that see only their own frame, states are large where frames are.
OPEN = np.asarray([True, False, True])
SIGNS = np.float32([[(-1) ** bin(t & c).count("1") for c in range(8)] for t in range(1, 5)])
POOLED = np.stack([SIGNS, 0.1 * RNG.normal(size=(4, 8)), 0.8 * SIGNS[::-1]]).astype(np.float32)
AROUND = RNG.normal(size=(3, 4, 2, 3, 8))
X = np.float32(POOLED[:, :, None, None] + AROUND - AROUND.mean((2, 3), keepdims=True))
WEIGHTS = RNG.normal(size=X.shape)
CELLS = {
    "layer1": {
        "input": {
            "kernel": np.kron([[0, 0, 1, 0]], 2 * np.eye(8)).astype(np.float32),
            "bias": np.repeat([6, -6, 0, 6], 8).astype(np.float32),
        },
        "recurrent_kernel": np.zeros((8, 32), np.float32),
        "recurrent_bias": np.zeros(32, np.float32),
    }
}
FUSED, STATES = recursion.account(X, CELLS)


def applied(x, params, stats, form):
    train, settings = form
    variables = {"params": {"squeeze_recursion": {"recurrence": params}}, "batch_stats": stats}
    module = TemporalGate(**{"gate": "hard", **dict(settings)}, layers=len(params))
    mutable = ["batch_stats", "intermediates"] if train else ["intermediates"]
    with jax.default_matmul_precision("highest"):
        y, state = module.apply(variables, x, train=train, mutable=mutable)
    sown = {name: value for name, (value,) in state.get("intermediates", {}).items()}
    return y, sown, state.get("batch_stats", stats)


compiled = recursion.quickly(applied, static_argnames="form")


def run(x=X, params=CELLS, train=False, **settings):
    return compiled(x, params, {}, (train, tuple(sorted(settings.items()))))[:2]


def test_golden_gates_of_a_mixed_batch(shared):
    golden = np.load(shared / "golden/sr_gated_mixed.npz")
    x, gated, ungated = (
        golden[name].transpose(0, 2, 3, 4, 1) for name in ("x", "y_gated", "y_ungated")
    )
    weights = {key.removeprefix("w/lstm/"): golden[key] for key in golden if key[:2] == "w/"}
    params = recursion.cells(weights)
    near = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    near(run(x, params, gate="none")[0], ungated)
    for combine, key in (("and", "g_gate"), ("or", "g_gate_or")):
        y, sown = run(x, params, combine=combine)
        np.testing.assert_array_equal(sown["gate_open"], golden[key])
        near(y, np.where(golden[key][:, None, None, None, None], ungated, x))
    y, _ = run(x, params)
    near(y, gated)
    np.testing.assert_array_equal(y[~golden["g_gate"]], x[~golden["g_gate"]])


def test_the_constructed_gates_are_open_and_closed_as_in_the_reference():
    for pair in ((POOLED, STATES), (STATES, POOLED)):
        expected, lead = account(*pair)
        np.testing.assert_array_equal(expected, OPEN)
        assert lead.min() > 1e-4


@pytest.mark.parametrize("train", [True, False])
def test_open_clips_are_fused_and_closed_ones_unchanged_to_the_bit(train):
    y, sown = run(train=train)
    assert sown["gate_open"].dtype == bool
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    np.testing.assert_allclose(y[OPEN], FUSED[OPEN], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y[~OPEN].view(jnp.int32), X[~OPEN].view(np.int32))
    assert set(sown) == {"gate_open", "state_size"}
    np.testing.assert_allclose(sown["state_size"], abs(STATES).mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("train", [True, False])
def test_without_a_gate_all_clips_are_fused(train):
    np.testing.assert_allclose(run(gate="none", train=train)[0], FUSED, rtol=1e-5, atol=1e-6)
    assert TemporalGate().gate == "none"


def test_states_can_be_added():
    y, sown = run(fuse="add")
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    added = np.where(OPEN[:, None, None, None, None], X + STATES[:, :, None, None], X)
    np.testing.assert_allclose(y, added, rtol=1e-5, atol=1e-6)


def test_the_gate_of_a_clip_depends_only_on_that_clip():
    (y, _), order = run(), [1, 2, 0]
    turned, moved = run(X[order])
    np.testing.assert_array_equal(moved["gate_open"], OPEN[order])
    np.testing.assert_allclose(turned, y[jnp.asarray(order)], rtol=1e-6)
    for clip in range(3):
        alone, one = run(X[clip : clip + 1])
        np.testing.assert_array_equal(one["gate_open"], OPEN[clip : clip + 1])
        np.testing.assert_allclose(alone, y[clip : clip + 1], rtol=1e-6)


def test_one_frame_is_always_fused():
    x = 3 * X[:, :1]
    y, sown = run(x)
    assert sown["gate_open"].all()
    np.testing.assert_allclose(y, recursion.account(x, CELLS)[0], rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def gradients():
    """Returns the gradients of each clip's weighted sum by features and cells."""

    def loss(x, params, clip):
        y, _, _ = applied(x, params, {}, (True, ()))
        return (WEIGHTS * y).sum((1, 2, 3, 4))[clip]

    grads = recursion.quickly(jax.grad(loss, (0, 1)))
    return [grads(X, CELLS, clip) for clip in range(3)]


def test_a_closed_gate_gives_gradients_to_its_features_but_not_to_its_cells(gradients):
    by_x, by_cells = gradients[1]
    assert not any(leaf.any() for leaf in jax.tree.leaves(by_cells))
    expected = np.zeros_like(X)
    expected[1] = WEIGHTS[1]
    np.testing.assert_array_equal(by_x, expected)


@pytest.mark.parametrize("clip", [0, 2])
def test_an_open_gate_has_the_gradients_of_the_fusion(gradients, clip):
    by_x, by_cells = gradients[clip]
    rng = np.random.default_rng(clip)
    x_way, way = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), (X, CELLS))

    def ahead(step, x_step):
        moved = jax.tree.map(lambda leaf, to: leaf + step * to, CELLS, way)
        fused, _ = recursion.account(X + x_step * x_way, moved)
        return (WEIGHTS * fused)[clip].sum()

    slope = (ahead(1e-6, 0) - ahead(-1e-6, 0)) / 2e-6
    parts = jax.tree.map(lambda grad, to: float((grad * to).sum()), by_cells, way)
    assert sum(jax.tree.leaves(parts)) == pytest.approx(slope, rel=1e-3)
    slope = (ahead(0, 1e-6) - ahead(0, -1e-6)) / 2e-6
    assert float((by_x * x_way).sum()) == pytest.approx(slope, rel=1e-3)


def test_no_gradient_flows_through_the_comparison():
    def loss(a, b):
        y, is_open = feed(jnp.asarray(X), a, b, ())
        return (WEIGHTS * y).sum(), is_open

    grads = recursion.quickly(jax.grad(loss, (0, 1), has_aux=True))
    (by_pooled, by_states), is_open = grads(POOLED, STATES.astype(np.float32))
    np.testing.assert_array_equal(is_open, OPEN)
    np.testing.assert_array_equal(by_pooled, 0)
    np.testing.assert_array_equal(by_states[~OPEN], 0)
    expected = (WEIGHTS * X).sum((2, 3))
    np.testing.assert_allclose(by_states[OPEN], expected[OPEN], rtol=1e-4, atol=1e-5)


def test_bfloat16_features_of_closed_gates_are_unchanged_to_the_bit():
    x = jnp.asarray(X, jnp.bfloat16)
    y, sown = run(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    np.testing.assert_array_equal(y[~OPEN], x[~OPEN])
    fused, _ = recursion.account(x, CELLS)
    eps = float(jnp.finfo(x.dtype).eps)
    np.testing.assert_allclose(np.float64(y)[OPEN], fused[OPEN], rtol=2 * eps, atol=1e-5)
    assert run(x, gate="none")[0].dtype == jnp.bfloat16


def test_an_untrained_hard_gate_is_open_only_for_single_frames():
    x = np.asarray(jax.random.normal(jax.random.key(0), (64, 8, 1, 1, 64)))
    init = functools.partial(TemporalGate(gate="hard").init, train=False)
    params = recursion.quickly(init)(jax.random.key(1), x)["params"]
    for frames, fraction in ((8, 0), (4, 0), (1, 1)):
        clips = x[:, :frames]
        y, sown = run(clips, params["squeeze_recursion"]["recurrence"])
        assert sown["gate_open"].mean() == fraction
        assert (y == clips).all() == (fraction == 0)


def test_gates_are_open_during_the_warm_up_and_hard_afterwards():
    settings = (("gate_warmup_steps", 2),)
    stats = {"steps": jnp.zeros(())}
    hard, _ = run()
    for step in range(1, 5):
        _, _, same = compiled(X, CELLS, stats, (False, settings))
        np.testing.assert_array_equal(same["steps"], stats["steps"])
        y, sown, stats = compiled(X, CELLS, stats, (True, settings))
        np.testing.assert_array_equal(sown["gate_open"], OPEN | (step <= 2))
        np.testing.assert_array_equal(sown["gate_matched"], OPEN)
        expected = FUSED if step <= 2 else hard
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    y, sown, _ = compiled(X, CELLS, stats, (False, settings))
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    np.testing.assert_array_equal(y, hard)


def test_steps_are_counted_only_with_a_warm_up():
    init = functools.partial(TemporalGate(gate="hard", gate_warmup_steps=3).init, train=False)
    variables = recursion.quickly(init)(jax.random.key(0), X)
    assert jax.tree.map(jnp.shape, variables["batch_stats"]) == {"steps": ()}
    assert variables["batch_stats"]["steps"] == 0
    init = functools.partial(TemporalGate(gate="hard").init, train=False)
    assert set(jax.eval_shape(init, jax.random.key(0), X)) == {"params"}


def test_openness_is_named_by_its_places():
    first, second = np.asarray([True, False]), np.asarray([False, False])
    tree = {
        "stem": (X,),
        "layer1": {"block1": {"gate": {"gate_open": (first,)}, "class_index": (first,)}},
        "layer3": {"block12": {"gate": {"gate_open": (first,), "gate_matched": (second,)}}},
    }
    found = {name: value.tolist() for name, value in openness(tree, jnp.zeros((2, 3))).items()}
    assert found == {
        "open/layer1_block1": [True, False],
        "open/layer3_block12": [True, False],
        "matched/layer3_block12": [False, False],
    }
    assert openness({"stem": (X,)}, jnp.zeros((2, 3))) == {}


def test_a_run_logs_sizes_of_states_and_the_deviation_of_logits():
    size, is_open = np.float32([0.25, 0.5]), np.asarray([True, False])
    gate = {"gate": {"gate_open": (is_open,), "state_size": (size,)}}
    logits = RNG.normal(size=(2, 5))
    found = reading({"layer2": {"block1": gate}}, jnp.asarray(logits))
    np.testing.assert_array_equal(found.pop("open/layer2_block1"), is_open)
    np.testing.assert_array_equal(found.pop("state_size/layer2_block1"), size)
    np.testing.assert_allclose(found.pop("logits_deviation"), logits.std(axis=1), rtol=1e-5)
    assert found == {}
    assert reading({"stem": (X,)}, jnp.asarray(logits)) == {}


@pytest.mark.parametrize("states", ["averaged", "learned"])
def test_controls_are_always_fused_and_refuse_hard_gates(states):
    module = TemporalGate(states=states, layers=1)
    params = {"recurrence": CELLS} if states == "averaged" else {"scale": np.float32([2] * 8)}
    variables = {"params": {"squeeze_recursion": params}}
    with jax.default_matmul_precision("highest"):
        y = module.apply(variables, X, train=False)
    mean = recursion.account(X.reshape(12, 1, *X.shape[2:]), CELLS)[1].reshape(3, 4, 8).mean(1)
    factor = mean[:, None, None, None] if states == "averaged" else 2
    np.testing.assert_allclose(y, X * factor, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=f"gate = 'hard' with states = '{states}'"):
        TemporalGate("hard", states=states).init(jax.random.key(0), X, train=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gate", "soft"),
        ("states", "none"),
        ("gate_warmup_steps", -1),
        ("cell", "elman"),
        ("layers", 0),
        ("fuse", "concat"),
        ("match", "hard"),
        ("combine", "xor"),
        ("distance", "max"),
        ("temperature", 0),
        ("temperature", -1.0),
        ("temperature", float("nan")),
    ],
)
def test_invalid_settings_are_refused(name, value):
    module = TemporalGate(**{"gate": "hard", name: value})
    with pytest.raises(ValueError, match=f"{name} = {value!r}"):
        module.init(jax.random.key(0), X, train=False)
