"""Tests the decisions of temporal gates against golden files and NumPy."""

import functools

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from tests.methods import test_squeeze_recursion as recursion
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.methods.temporal_gates import TemporalGate, consistent, distances

RNG = np.random.default_rng(0)
CASES = ("sum", 1.0), ("sum", 0.2), ("mean", 0.05)


def squared(a, b):
    return ((np.float64(a)[:, :, None] - np.float64(b)[:, None]) ** 2).sum(-1)


def account(a, b, match="soft", distance="sum", temperature=1.0):
    """Computes in float64 whether all frames of a match those of b, and by what margin."""
    apart = squared(a, b) / (a.shape[-1] if distance == "mean" else 1)
    mean = softmax(-apart / temperature, axis=-1) @ np.float64(b)
    found = apart if match == "nearest" else squared(mean, b)
    own = np.diagonal(found, axis1=1, axis2=2)
    others = np.where(np.eye(found.shape[-1], dtype=bool), np.inf, found)
    lead = others.min(-1) - own
    return (lead > 0).all(-1), abs(lead).min(-1)


def pairs(batch=64, frames=4, channels=6):
    """Makes frames and more or less noisy copies, so that some clips match and others do not."""
    rng = np.random.default_rng(batch)
    a, noise = rng.normal(size=(2, batch, frames, channels)).astype(np.float32)
    return a, a + noise * np.linspace(0, 2, batch, dtype=np.float32)[:, None, None]


@functools.partial(recursion.quickly, static_argnames="settings")
def matches(a, b, settings):
    return consistent(a, b, **dict(settings))


def matched(a, b, **settings):
    return matches(a, b, tuple(sorted(settings.items())))


def feed(x, a, b, settings):
    """Returns a hard gate's output and open clips for given frames and states."""

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
    """Returns the cases of the file; each is a mapping with sequences `[B, T, C]`."""
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


@pytest.mark.parametrize(("distance", "temperature"), CASES)
@pytest.mark.parametrize("match", ["soft", "nearest"])
def test_matches_equal_the_numpy_reference(match, distance, temperature):
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


def test_a_small_temperature_finds_the_nearest_frame_and_a_large_one_does_not():
    a, b = pairs()
    _, lead = account(a, b, "nearest")
    cold, nearest = matched(a, b, temperature=1e-4), matched(a, b, match="nearest")
    np.testing.assert_array_equal(cold[lead > 1e-2], nearest[lead > 1e-2])
    assert not matched(a, b, temperature=1e4).any()


def test_swapped_frames_do_not_match():
    frames = 4 * np.eye(4, 6, dtype=np.float32)[None]
    assert matched(frames, frames).all()
    for order in ([1, 0, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0]):
        assert not matched(frames, frames[:, order]).any()


@pytest.mark.parametrize(("distance", "temperature"), CASES)
def test_one_frame_always_matches(distance, temperature):
    a, b = 5 * RNG.normal(size=(2, 32, 1, 6))
    assert matched(a, b, distance=distance, temperature=temperature).all()
    assert matched(a, b, match="nearest", distance=distance).all()


def test_decisions_on_bfloat16_frames_are_computed_in_float32():
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
