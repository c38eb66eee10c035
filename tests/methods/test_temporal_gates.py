"""Temporal gates by the golden files, by a NumPy account of them, and by what they must not do."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from tests.methods import test_squeeze_recursion as recursion
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.methods.temporal_gates import TemporalGate, consistent, distances, openness

RNG = np.random.default_rng(0)
CASES = ("sum", 1.0), ("sum", 0.2), ("mean", 0.05)


def squared(a, b):
    return ((np.float64(a)[:, :, None] - np.float64(b)[:, None]) ** 2).sum(-1)


def account(a, b, match="soft", distance="sum", temperature=1.0):
    """Whether all frames of a find themselves in b, and by how much, in float64."""
    apart = squared(a, b) / (a.shape[-1] if distance == "mean" else 1)
    mean = softmax(-apart / temperature, axis=-1) @ np.float64(b)
    found = apart if match == "nearest" else squared(mean, b)
    own = np.diagonal(found, axis1=1, axis2=2)
    others = np.where(np.eye(found.shape[-1], dtype=bool), np.inf, found)
    lead = others.min(-1) - own
    return (lead > 0).all(-1), abs(lead).min(-1)


def pairs(batch=64, frames=4, channels=6):
    """Frames and more or less noisy ones: some clips match, some do not."""
    rng = np.random.default_rng(batch)
    a, noise = rng.normal(size=(2, batch, frames, channels)).astype(np.float32)
    return a, a + noise * np.linspace(0, 2, batch, dtype=np.float32)[:, None, None]


@functools.partial(recursion.quickly, static_argnames="settings")
def matches(a, b, settings):
    return consistent(a, b, **dict(settings))


def matched(a, b, **settings):
    return matches(a, b, tuple(sorted(settings.items())))


def feed(x, a, b, settings):
    """A hard gate's output and what is open, its frames and states being those given."""

    def give(call, args, kwargs, context):
        if isinstance(context.module, SqueezeRecursion) and context.method_name == "parts":
            return x * jnp.asarray(b, x.dtype)[:, :, None, None], a, b
        return call(*args, **kwargs)

    with nn.intercept_methods(give):
        module = TemporalGate(gate="hard", **dict(settings))
        y, state = module.apply({}, x, train=False, mutable=["intermediates"])
    return y, state["intermediates"]["gate_open"][0]


fed_quickly = recursion.quickly(feed, static_argnames="settings")


def fed(a, b, **settings):
    return fed_quickly(a[:, :, None, None], a, b, tuple(sorted(settings.items())))


@pytest.fixture
def golden(shared):
    """Cases of the file: each a mapping, sequences as `[B, T, C]`."""
    cases = {}
    for name, value in np.load(shared / "golden/soft_nn_gate.npz").items():
        case, key = name.split("_", 1)
        turned = value.transpose(0, 2, 1) if key in ("a", "b", "soft_ab", "soft_ba") else value
        cases.setdefault(case, {})[key] = turned
    return cases


def test_golden_distances(golden):
    for case in golden.values():
        near = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
        near(distances(case["a"], case["b"]), case["dist_ab"])
        near(distances(case["b"], case["a"]), case["dist_ba"])
        near(distances(case["a"], case["b"], "mean"), case["dist_ab"] / case["a"].shape[-1])


def test_golden_frames_are_nearest_to_the_golden_soft_matches(golden):
    for case in golden.values():
        for way, to in (("ab", "b"), ("ba", "a")):
            soft = case[f"w_{way}"] @ case[to]
            np.testing.assert_allclose(soft, case[f"soft_{way}"], rtol=1e-5, atol=1e-5)
            found = distances(case[f"soft_{way}"], case[to]).argmin(-1)
            np.testing.assert_array_equal(found, case[f"idx_{way}"])


def test_golden_directions(golden):
    for case in golden.values():
        for way, sides in (("ab", ("a", "b")), ("ba", ("b", "a"))):
            own = np.arange(case["a"].shape[1])
            ok = matched(*(case[side] for side in sides))
            np.testing.assert_array_equal(ok, case[f"ok_{way}"])
            np.testing.assert_array_equal(ok, (case[f"idx_{way}"] == own).all(-1))
            ok = matched(*(case[side] for side in sides), match="nearest")
            nearest = (case[f"dist_{way}"].argmin(-1) == own).all(-1)
            np.testing.assert_array_equal(ok, nearest)


def test_golden_gates(golden):
    for case in golden.values():
        a, b = case["a"], case["b"]
        for settings, key in (({}, "gate"), ({"combine": "or"}, "gate_or")):
            y, is_open = fed(a, b, **settings)
            np.testing.assert_array_equal(is_open, case[key])
            fused = np.where(case[key][:, None, None], a * b, a)
            np.testing.assert_allclose(y[:, :, 0, 0], fused, rtol=1e-6)


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


@pytest.mark.parametrize(("distance", "temperature"), CASES)
@pytest.mark.parametrize("match", ["soft", "nearest"])
def test_what_matches_is_what_the_account_says(match, distance, temperature):
    a, b = pairs()
    settings = {"match": match, "distance": distance, "temperature": temperature}
    expected, lead = account(a, b, **settings)
    back, lead_back = account(b, a, **settings)
    sure = np.minimum(lead, lead_back) > 1e-4
    assert sure.sum() > 50
    assert len({*expected[sure]}) == len({*(expected & back)[sure]}) == 2
    np.testing.assert_array_equal(matched(a, b, **settings)[sure], expected[sure])
    combine = "or" if match == "nearest" else "and"
    _, is_open = fed(a, b, combine=combine, **settings)
    both = expected | back if combine == "or" else expected & back
    np.testing.assert_array_equal(is_open[sure], both[sure])


def test_distances_are_those_of_all_frames_of_two_lengths():
    a, b = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 4, 5))
    np.testing.assert_allclose(distances(a, b), squared(a, b), rtol=1e-5)
    np.testing.assert_allclose(distances(a, b, "mean"), squared(a, b) / 5, rtol=1e-5)
    large = jnp.float32(1000) + RNG.normal(size=(1, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(distances(large, large), squared(large, large), rtol=1e-5)


def test_a_small_temperature_finds_the_nearest_and_a_large_one_nothing():
    a, b = pairs()
    _, lead = account(a, b, "nearest")
    cold, nearest = matched(a, b, temperature=1e-4), matched(a, b, match="nearest")
    np.testing.assert_array_equal(cold[lead > 1e-2], nearest[lead > 1e-2])
    assert not matched(a, b, temperature=1e4).any()


def test_matching_exchanged_frames_is_no_consistency():
    frames = 4 * np.eye(4, 6, dtype=np.float32)[None]
    assert matched(frames, frames).all()
    for order in ([1, 0, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0]):
        assert not matched(frames, frames[:, order]).any()


@pytest.mark.parametrize(("distance", "temperature"), CASES)
def test_one_frame_always_matches(distance, temperature):
    a, b = 5 * RNG.normal(size=(2, 32, 1, 6))
    assert matched(a, b, distance=distance, temperature=temperature).all()
    assert matched(a, b, match="nearest", distance=distance).all()


def test_decisions_on_bfloat16_frames_are_those_of_float32():
    a, b = (jnp.asarray(part + 4, jnp.bfloat16) for part in pairs(512))
    expected, lead = account(a, b)
    sure = lead > 1e-4
    np.testing.assert_array_equal(matched(a, b)[sure], expected[sure])
    a, b = np.asarray(a), np.asarray(b)
    weights = np.exp(-((a[:, :, None] - b[:, None]) ** 2).sum(-1))
    weights = weights / weights.sum(-1, keepdims=True)
    mean = (weights[..., None] * b[:, None]).sum(2)
    found = ((mean[:, :, None] - b[:, None]) ** 2).sum(-1)
    coarse = (np.float32(found).argmin(-1) == np.arange(4)).all(-1)
    assert found.dtype == a.dtype == jnp.bfloat16
    assert (coarse != expected)[sure].any()  # Their precision matters here.


def test_a_gate_of_bfloat16_features_decides_by_its_float32_frames_and_states():
    a, b = (part + 16 for part in pairs(512))
    (there, lead), (back, lead_back) = account(a, b), account(b, a)
    sure = np.minimum(lead, lead_back) > 1e-4
    y, is_open = fed_quickly(jnp.zeros((512, 4, 1, 1, 6), jnp.bfloat16), a, b, ())
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(is_open[sure], (there & back)[sure])
    a, b = (np.float64(jnp.asarray(part, jnp.bfloat16)) for part in (a, b))
    rounded = account(a, b)[0] & account(b, a)[0]
    assert (rounded != (there & back))[sure].any()  # Their precision matters here.


# A gate at work: clips 0 and 2 have four very different frames, clip 1 has four similar ones;
# states are large where the frames are, with one layer of cells that see their own frame alone.
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


def test_the_gates_at_work_are_open_and_closed_by_the_account():
    for pair in ((POOLED, STATES), (STATES, POOLED)):
        expected, lead = account(*pair)
        np.testing.assert_array_equal(expected, OPEN)
        assert lead.min() > 1e-4


@pytest.mark.parametrize("train", [True, False])
def test_open_clips_are_fused_and_closed_ones_left_bit_by_bit(train):
    y, sown = run(train=train)
    assert sown["gate_open"].dtype == bool
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    np.testing.assert_allclose(y[OPEN], FUSED[OPEN], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y[~OPEN].view(jnp.int32), X[~OPEN].view(np.int32))
    assert set(sown) == {"gate_open"}


@pytest.mark.parametrize("train", [True, False])
def test_without_a_gate_all_clips_are_fused(train):
    np.testing.assert_allclose(run(gate="none", train=train)[0], FUSED, rtol=1e-5, atol=1e-6)
    assert TemporalGate().gate == "none"


def test_states_can_be_added():
    y, sown = run(fuse="add")
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    added = np.where(OPEN[:, None, None, None, None], X + STATES[:, :, None, None], X)
    np.testing.assert_allclose(y, added, rtol=1e-5, atol=1e-6)


def test_a_gate_is_of_its_clip_alone():
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
    """By features and cells, of the weighted sum of each clip."""

    def loss(x, params, clip):
        y, _, _ = applied(x, params, {}, (True, ()))
        return (WEIGHTS * y).sum((1, 2, 3, 4))[clip]

    grads = recursion.quickly(jax.grad(loss, (0, 1)))
    return [grads(X, CELLS, clip) for clip in range(3)]


def test_a_closed_gate_gives_its_cells_no_gradient_and_passes_that_of_its_features(gradients):
    by_x, by_cells = gradients[1]
    assert not any(leaf.any() for leaf in jax.tree.leaves(by_cells))
    expected = np.zeros_like(X)
    expected[1] = WEIGHTS[1]
    np.testing.assert_array_equal(by_x, expected)


@pytest.mark.parametrize("clip", [0, 2])
def test_an_open_gate_has_the_gradients_of_what_it_fuses(gradients, clip):
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


def test_bfloat16_features_stay_bfloat16_and_close_bit_by_bit():
    x = jnp.asarray(X, jnp.bfloat16)
    y, sown = run(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(sown["gate_open"], OPEN)
    np.testing.assert_array_equal(y[~OPEN], x[~OPEN])
    fused, _ = recursion.account(x, CELLS)
    eps = float(jnp.finfo(x.dtype).eps)
    np.testing.assert_allclose(np.float64(y)[OPEN], fused[OPEN], rtol=2 * eps, atol=1e-5)
    assert run(x, gate="none")[0].dtype == jnp.bfloat16


def test_at_initialization_a_hard_gate_is_open_to_one_frame_and_shut_to_more():
    x = np.asarray(jax.random.normal(jax.random.key(0), (64, 8, 1, 1, 64)))
    init = functools.partial(TemporalGate(gate="hard").init, train=False)
    params = recursion.quickly(init)(jax.random.key(1), x)["params"]
    for frames, fraction in ((8, 0), (4, 0), (1, 1)):
        clips = x[:, :frames]
        y, sown = run(clips, params["squeeze_recursion"]["recurrence"])
        assert sown["gate_open"].mean() == fraction
        assert (y == clips).all() == (fraction == 0)


def test_a_warm_up_is_open_for_its_training_steps_and_then_hard():
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


def test_steps_are_counted_in_the_statistics_from_zero_and_only_if_there_is_a_warm_up():
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gate", "soft"),
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
def test_what_means_nothing_is_refused(name, value):
    module = TemporalGate(**{"gate": "hard", name: value})
    with pytest.raises(ValueError, match=f"{name} = {value!r}"):
        module.init(jax.random.key(0), X, train=False)
