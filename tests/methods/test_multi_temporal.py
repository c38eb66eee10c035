"""Tests MTConvs against golden files and NumPy, and their gradients."""

import functools
import math

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from tests.layers.test_downsampling import account as halve
from tests.quickly import UNOPTIMIZED
from vidjax.methods.multi_temporal import MTConv, shares

RNG = np.random.default_rng(0)
LAST = (0, 2, 3, 4, 1)
EPSILON, MOMENTUM = 1e-5, 0.9
HALVING = ("pool", "frames", "choose", "squared", "edge", "odd")
X = (RNG.normal(size=(2, 7, 6, 5, 8)) + RNG.normal(size=(2, 7, 1, 1, 8))).astype(np.float32)
PLAIN = {"features": 8, "delta": 0.5, "kernel_size": (3, 3, 3)}
ALL = {
    "the text's": {},
    "most channels local": {"delta": 3 / 4},
    "factorised": {"kernels": "factorised", "features": 12},
    "channel by channel": {"kernels": "depthwise"},
    "average pool": {"pool": "average"},
    "pooled frames": {"frames": "pooled"},
    "similar frames": {"choose": "highest", "squared": True},
    "outer frames": {"edge": "single"},
    "odd sizes kept": {"odd": "replicate"},
    "all channels into both": {"split_input": False},
    "bare lateral": {"lateral_from": "convolution"},
    "shared norm": {"share_norm": True},
    "activated sum": {"activate": "sum"},
    "as released": {
        "pool": "average",
        "choose": "highest",
        "squared": True,
        "lateral_from": "convolution",
        "share_norm": True,
        "activate": "sum",
    },
    "strided": {"strides": (2, 2, 2)},
    "strided and factorised": {"strides": (2, 2, 2), "kernels": "factorised"},
    "strided in space": {"strides": (1, 2, 2), "kernel_size": (1, 3, 3)},
    "point-wise": {"kernel_size": (1, 1, 1), "features": 6},
}


def conv(x, kernel, strides=(1, 1, 1)):
    """Convolves by direct summation, padded by half the kernel; optionally channel by channel."""
    size = kernel.shape[:3]
    x = np.pad(x, [(0, 0), *((k // 2, k // 2) for k in size), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2, 3))
    windows = windows[:, :: strides[0], :: strides[1], :: strides[2]]
    if kernel.shape[3] != x.shape[-1]:
        return np.einsum("bthwcijk,ijkc->bthwc", windows, kernel[:, :, :, 0])
    return np.tensordot(windows, kernel, [[5, 6, 7, 4], [0, 1, 2, 3]])


def convolve(x, weights, name, strides):
    """Convolves with one kernel, or over space and then over time.

    All strides are in the first part. With the temporal stride in the second, MTNet_M would have 7
    % more multiply-adds than in the digest.
    """
    if f"{name}/kernel" in weights:
        return conv(x, weights[f"{name}/kernel"], strides)
    x = conv(x, weights[f"{name}_space/kernel"], strides)
    return conv(x, weights[f"{name}_time/kernel"])


def trilinear(x, size):
    """Interpolates linearly between half-pixel centres, constant beyond the outer ones."""
    for axis, wanted in enumerate(size, start=1):
        length = x.shape[axis]
        place = ((np.arange(wanted) + 0.5) * length / wanted - 0.5).clip(0, length - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        high = np.minimum(low + 1, length - 1)
        x = (1 - share) * x.take(low, axis) + share * x.take(high, axis)
    return x


def relu(x):
    return np.maximum(x, 0)


class Norms:
    """Norms by name; in training they record their inputs."""

    def __init__(self, weights, train=False):
        self.weights, self.train, self.seen = weights, train, []

    def __call__(self, x, name):
        mean, var = (self.weights.get(f"{name}/{moment}") for moment in ("mean", "var"))
        if self.train:
            self.seen.append((name, x))
            mean, var = x.mean((0, 1, 2, 3)), x.var((0, 1, 2, 3))
        scale, bias = (self.weights[f"{name}/{part}"] for part in ("scale", "bias"))
        return (x - mean) / np.sqrt(var + EPSILON) * scale + bias


def account(x, weights, settings, norms=None):
    """Computes the text's MTConv in float64; also returns the prolonged branch before resizing."""
    s = {"strides": (1, 1, 1), "split_input": True, **settings}
    weights = {name: np.float64(value) for name, value in weights.items()}
    x, norm = np.float64(x), norms or Norms(weights)
    half = functools.partial(halve, **{name: s[name] for name in HALVING if name in s})
    ours = theirs = x
    if s["split_input"]:
        channels = math.floor(s["delta"] * x.shape[-1])
        ours, theirs = x[..., :channels], x[..., channels:]
    bare = convolve(ours, weights, "local", s["strides"])
    local = relu(norm(bare, "norm_local"))
    if s["delta"] == 1:
        return local, None
    prolonged = convolve(half(theirs), weights, "prolonged", s["strides"])
    lateral = half(bare if s.get("lateral_from") == "convolution" else local)
    lateral = trilinear(lateral, prolonged.shape[1:4])
    lateral = conv(lateral, weights["lateral/kernel"])
    lateral = norm(lateral, "norm_prolonged" if s.get("share_norm") else "norm_lateral")
    prolonged = norm(prolonged, "norm_prolonged")
    if s.get("activate") == "sum":
        low = relu(lateral + prolonged)
    else:
        low = relu(lateral) + relu(prolonged)
    return np.concatenate([local, trilinear(low, local.shape[1:4])], -1), low


@functools.cache
def compiled(module, train=False):
    """Returns the output and the new statistics."""

    def apply(variables, x, rngs):
        return module.apply(variables, x, train=train, rngs=rngs, mutable=["batch_stats"])

    return jax.jit(apply, compiler_options=UNOPTIMIZED)


def run(x, variables, settings, train=False, rngs=None):
    return compiled(MTConv(**settings), train)(variables, x, rngs)


def shapes(x, settings):
    init = functools.partial(MTConv(**settings).init, train=False)
    return jax.eval_shape(init, jax.random.key(0), x)


def drawn(shapes, seed=0):
    """Draws variables of these shapes without ones and zeros."""
    rng, values = np.random.default_rng(seed), {}
    for path, leaf in sorted(flatten_dict(shapes).items()):
        if path[-1] in ("scale", "var"):
            value = rng.uniform(0.5, 1.5, leaf.shape)
        else:
            value = rng.normal(size=leaf.shape) / np.sqrt(max(1, np.prod(leaf.shape[:-1])))
        values[path] = np.float32(value)
    return unflatten_dict(values)


def flat(variables):
    """Returns the parameters and statistics of a module by name."""
    parts = (flatten_dict(part, sep="/") for part in variables.values())
    return {name: value for part in parts for name, value in part.items()}


def case(name):
    settings = {**PLAIN, **ALL[name]}
    return settings, drawn(shapes(X, settings))


@pytest.mark.parametrize("name", ALL)
def test_it_equals_the_numpy_reference(name) -> None:
    settings, variables = case(name)
    expected, _ = account(X, flat(variables), settings)
    y, _ = run(X, variables, settings)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-5)
    assert np.min(y) == 0
    plain, _ = account(X, flat(case("the text's")[1]), PLAIN)
    assert name == "the text's" or plain.shape != y.shape or abs(plain - y).max() > 1e-2


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_short_clips_with_lateral_features_of_another_size(length) -> None:
    """With six frames and a stride, a branch has two frames and the lateral path one."""
    settings = {**PLAIN, "strides": (2, 2, 2)}
    variables, x = case("strided")[1], X[:, :length, :6, :5]
    expected, _ = account(x, flat(variables), settings)
    y, _ = run(x, variables, settings)
    assert y.shape == (2, -(-length // 2), 3, 3, 8)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-5)


def golden_settings(golden, name):
    """Returns module and input of a golden case; both channel shares bound delta."""
    local, prolonged = (golden[f"{name}_w/{part}/kernel"] for part in ("local", "prolonged"))
    bounds = []
    for axis in (0, 1):
        channels = local.shape[axis] + prolonged.shape[axis]
        bounds.append((local.shape[axis] / channels, (local.shape[axis] + 1) / channels))
    delta = (max(low for low, _ in bounds) + min(high for _, high in bounds)) / 2
    features = local.shape[0] + prolonged.shape[0]
    return {"features": features, "kernel_size": local.shape[2:], "delta": delta}


def golden_variables(golden, name):
    params, stats = {}, {}
    for key in (key for key in golden if key.startswith(f"{name}_w/")):
        part, leaf = key.split("/")[1:]
        value = golden[key].transpose(2, 3, 4, 1, 0) if leaf == "kernel" else golden[key]
        into = stats if leaf in ("mean", "var") else params
        into[part.replace("bn_", "norm_"), leaf] = value
    return {"params": unflatten_dict(params), "batch_stats": unflatten_dict(stats)}


def test_golden_outputs(shared) -> None:
    golden = np.load(shared / "golden/mtconv_paper.npz")
    names = sorted(key.removesuffix("_x") for key in golden if key.endswith("_x"))
    assert names
    for name in names:
        settings, variables = golden_settings(golden, name), golden_variables(golden, name)
        x = golden[f"{name}_x"].transpose(LAST)
        y, _ = run(x, variables, settings)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
        close(y, golden[f"{name}_y"].transpose(LAST))
        local = golden[f"{name}_local"].transpose(LAST)
        close(y[..., : local.shape[-1]], local)
        expected, low = account(x, flat(variables), settings)
        close(expected, golden[f"{name}_y"].transpose(LAST))
        close(low, golden[f"{name}_prolonged_low"].transpose(LAST))


def test_delta_one_is_a_convolution_a_norm_and_a_relu() -> None:
    settings = {**PLAIN, "delta": 1, "features": 6}
    variables = drawn(shapes(X, settings))
    assert set(variables["params"]) == {"local", "norm_local"}
    kernel = variables["params"]["local"]["kernel"]
    assert kernel.shape == (3, 3, 3, 8, 6)
    z = jax.lax.conv_general_dilated(
        X, kernel, (1, 1, 1), [(1, 1)] * 3, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )
    expected = relu(Norms(flat(variables))(np.float64(z), "norm_local"))
    np.testing.assert_allclose(run(X, variables, settings)[0], expected, rtol=1e-4, atol=1e-5)


def test_parameters_are_those_of_two_branches_and_a_pointwise_lateral_path() -> None:
    """The example of chapter 6: 47 of 54 channels are local and 7 prolonged."""
    x = jax.ShapeDtypeStruct((1, 4, 4, 4, 24), jnp.float32)
    kernels = {
        "dense": {"local": (3, 3, 3, 21, 47), "prolonged": (3, 3, 3, 3, 7)},
        "factorised": {
            "local_space": (1, 3, 3, 21, 47),
            "local_time": (3, 1, 1, 47, 47),
            "prolonged_space": (1, 3, 3, 3, 7),
            "prolonged_time": (3, 1, 1, 7, 7),
        },
    }
    for form, expected in kernels.items():
        params = shapes(x, {"features": 54, "kernels": form})["params"]
        norms = {name: params.pop(f"norm_{name}") for name in ("local", "prolonged", "lateral")}
        sizes = {name: part["scale"].shape for name, part in norms.items()}
        assert sizes == {"local": (47,), "prolonged": (7,), "lateral": (7,)}
        found = {name: part["kernel"].shape for name, part in params.items()}
        assert found == {**expected, "lateral": (1, 1, 1, 47, 7)}


@pytest.mark.parametrize("delta", [1, 7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 1 / 4])
def test_shares_are_the_floor_and_the_rest(delta) -> None:
    for channels in (8, 24, 48, 54, 96, 108, 432):
        assert shares(channels, delta) == (
            math.floor(delta * channels),
            math.ceil((1 - delta) * channels),
        )


@pytest.mark.parametrize("share_norm", [False, True])
def test_training_normalises_by_the_batch_and_updates_running_statistics(share_norm) -> None:
    """Both inputs update a shared norm; the text does not give their order."""
    settings = {**PLAIN, "share_norm": share_norm}
    variables = drawn(shapes(X, settings))
    norms = Norms({name: np.float64(value) for name, value in flat(variables).items()}, train=True)
    expected, _ = account(X, flat(variables), settings, norms)
    y, state = run(X, variables, settings, train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    assert state["batch_stats"].keys() == {name for name, _ in norms.seen}
    for name, after in state["batch_stats"].items():
        inputs = [x for seen, x in norms.seen if seen == name]
        assert len(inputs) == (2 if share_norm and name == "norm_prolonged" else 1)
        ways = []
        for order in (inputs, inputs[::-1]):
            before = variables["batch_stats"][name]
            mean, var = before["mean"], before["var"]
            for x in order:
                mean = MOMENTUM * mean + (1 - MOMENTUM) * x.mean((0, 1, 2, 3))
                var = MOMENTUM * var + (1 - MOMENTUM) * x.var((0, 1, 2, 3), ddof=1)
            ways.append(np.concatenate([mean - after["mean"], var - after["var"]]))
        assert min(abs(way).max() for way in ways) < 1e-5
    _, state = run(X, variables, settings)
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], variables["batch_stats"])


@pytest.mark.parametrize("name", ["the text's", "as released", "factorised"])
def test_gradients_equal_finite_differences(name) -> None:
    settings, variables = case(name)
    factors = RNG.normal(size=(*X.shape[:-1], settings["features"]))

    def loss(params, x):
        variables_ = {**variables, "params": params}
        y, _ = MTConv(**settings).apply(variables_, x, train=True, mutable=["batch_stats"])
        return (np.float32(factors) * y).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1)), compiler_options=UNOPTIMIZED)
    by_params, by_x = gradient(variables["params"], X)
    gradients = {**flatten_dict(by_params, sep="/"), "x": by_x}
    assert all(np.abs(value).max() > 1e-4 for value in gradients.values())
    values = {"x": X, **flat(variables)}

    def moved(name, by):
        weights = {**values, name: values[name] + by}
        weights = {key: np.float64(value) for key, value in weights.items()}
        x = weights.pop("x")
        y, _ = account(x, weights, settings, Norms(weights, train=True))
        return (factors * y).sum()

    for name, found in gradients.items():
        direction = np.float64(found) / np.linalg.norm(found)
        slope = (moved(name, 1e-6 * direction) - moved(name, -1e-6 * direction)) / 2e-6
        assert np.linalg.norm(found) == pytest.approx(slope, rel=1e-3)


def test_clips_are_independent_in_evaluation() -> None:
    settings, variables = case("the text's")
    x = np.concatenate([X, X[::-1] + 0.5, -X[:1]])
    whole, _ = run(x, variables, settings)
    for number in range(len(x)):
        alone, _ = run(x[[number]], variables, settings)
        np.testing.assert_allclose(whole[number], alone[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run(x[::-1], variables, settings)[0], whole[::-1], atol=1e-5)


def test_bfloat16_features_have_float32_statistics() -> None:
    """The inner two of four frames are always chosen, whatever the rounding."""
    settings, variables = case("the text's")
    x = jnp.asarray(X[:, :4], jnp.bfloat16)
    y, state = run(x, variables, settings, train=True)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {np.dtype("float32")}
    y, _ = run(x, variables, settings)
    expected, _ = account(x, flat(variables), settings)
    # A few roundings of the largest values.
    atol = 4 * float(jnp.finfo(jnp.bfloat16).eps) * expected.max()
    np.testing.assert_allclose(np.float64(y), expected, atol=atol)


def test_stochastic_pooling_needs_the_stream_noise_only_in_training() -> None:
    settings = {**PLAIN, "pool": "stochastic"}
    variables = case("the text's")[1]
    y, _ = run(X, variables, settings)
    expected, _ = account(X, flat(variables), settings)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-5)
    results = [
        run(X, variables, settings, True, {"noise": jax.random.key(k)})[0] for k in (0, 0, 1)
    ]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])
    with pytest.raises(flax.errors.InvalidRngError, match="noise"):
        run(X, variables, settings, train=True)


@pytest.mark.parametrize("delta", [0, -0.5, 1.5, "x", True, None, float("nan"), 0.01])
def test_shares_that_leave_a_branch_without_channels_are_refused(delta) -> None:
    with pytest.raises(ValueError, match=f"delta = {delta!r}"):
        shapes(X, {**PLAIN, "delta": delta})


def test_inputs_of_too_few_channels_for_two_branches_are_refused() -> None:
    for channels, delta in ((1, 0.5), (3, 0.25)):
        with pytest.raises(ValueError, match=f"(?s)(?=.*{delta})(?=.*{channels})"):
            shapes(X[..., :channels], {**PLAIN, "delta": delta})


@pytest.mark.parametrize(
    "name", ["kernels", "lateral_from", "activate", "pool", "frames", "choose", "edge", "odd"]
)
def test_unknown_settings_are_refused(name) -> None:
    with pytest.raises(ValueError, match=f"{name} = 'nonsense'"):
        shapes(X, {**PLAIN, name: "nonsense"})


def test_depthwise_kernels_cannot_change_the_number_of_channels() -> None:
    with pytest.raises(ValueError, match="depthwise"):
        shapes(X, {**PLAIN, "kernels": "depthwise", "features": 12})
