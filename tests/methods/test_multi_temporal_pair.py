"""Tests MTConvs on pairs of clips against golden files, and the released code in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from tests.layers.test_downsampling import account as halve
from tests.methods.test_multi_temporal import Norms, conv, drawn, flat, trilinear
from tests.quickly import UNOPTIMIZED
from vidjax.methods.multi_temporal_pair import PairedMTBlock, PairedMTConv

LAST = (0, 2, 3, 4, 1)
RNG = np.random.default_rng(0)
LEAVES = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
PARTS = {
    "conv_short": "local",
    "conv_long": "prolonged",
    "conv_short2long": "lateral",
    "norm_short": "norm_local",
    "norm_long": "norm_prolonged",
}
CONVS = {"conv1_1": "conv1", "conv1_2": "conv2", "conv2": "conv3", "conv3": "conv4"}
RELEASED = {"pool": "average", "choose": "highest", "squared": True}


def clips(*sizes):
    """Makes features of clips that differ from frame to frame."""
    make = RNG.normal
    return tuple(
        np.float32(make(size=size) + make(size=(*size[:2], 1, 1, size[-1]))) for size in sizes
    )


PAIR = clips((2, 7, 6, 5, 6), (2, 4, 3, 3, 2))


def convolved(pair, weights, strides, norms=None):
    """Computes a PairedMTConv in float64 by section 2.4 of the digest."""
    weights = {name: np.float64(value) for name, value in weights.items()}
    norm = norms or Norms(weights)
    short, long = (
        conv(np.float64(x), weights[f"{name}/kernel"], strides)
        for x, name in zip(pair, ("local", "prolonged"), strict=True)
    )
    lateral = trilinear(halve(short, **RELEASED), long.shape[1:4])
    lateral = norm(conv(lateral, weights["lateral/kernel"]), "norm_prolonged")
    return norm(short, "norm_local"), norm(long, "norm_prolonged") + lateral


@functools.cache
def compiled(module, train):
    apply = functools.partial(module.apply, train=train, mutable=["batch_stats"])
    return jax.jit(apply, compiler_options=UNOPTIMIZED)


def shapes(module, pair=PAIR):
    return jax.eval_shape(functools.partial(module.init, train=False), jax.random.key(0), pair)


def golden_part(key, value):
    """Converts a golden array to our collection, path and value."""
    *path, part, leaf = key.split("/")
    if leaf == "weight" and value.ndim == 5:
        return "params", (*path, PARTS[part], "kernel"), value.transpose(2, 3, 4, 1, 0)
    if part == "op":
        kind, side, layer = leaf.split("_")
        side = {"ih": ("input", ""), "hh": ("", "recurrent_")}[side]
        name = side[1] + {"weight": "kernel", "bias": "bias"}[kind]
        align = path[0].replace("sr_", "align_")
        layer = f"layer{int(layer.removeprefix('l')) + 1}"
        return "params", (align, "recurrence", layer, *filter(None, side[:1]), name), value.T
    collection, leaf = LEAVES[leaf]
    return collection, (*path, PARTS[part], leaf), value


def golden_variables(golden, prefix):
    variables = {"params": {}, "batch_stats": {}}
    for key in (key for key in golden if key.startswith(prefix)):
        collection, path, value = golden_part(key.removeprefix(prefix), golden[key])
        path = (CONVS.get(path[0], path[0]), *path[1:])
        variables[collection][path] = value
    return {name: unflatten_dict(part) for name, part in variables.items()}


def golden_pair(golden, prefix, name):
    return tuple(golden[f"{prefix}{name}{which}"].transpose(LAST) for which in "sl")


def share(pairs):
    """Returns a delta that gives these pairs of channels."""
    low = max(short / (short + long) for short, long in pairs)
    high = min((short + 1) / (short + long) for short, long in pairs)
    return (low + high) / 2


def channels(pair):
    return tuple(x.shape[-1] for x in pair)


def test_golden_convolutions(shared) -> None:
    golden = np.load(shared / "golden/mtconv_ref.npz")
    names = sorted(key.removesuffix("_xs") for key in golden if key.endswith("_xs"))
    assert names
    for name in names:
        x, y = (golden_pair(golden, f"{name}_", which) for which in "xy")
        variables = golden_variables(golden, f"{name}_w/")
        size = variables["params"]["local"]["kernel"].shape[:3]
        delta = share([channels(y)])
        module = PairedMTConv(sum(channels(y)), size, delta=delta)
        found, _ = compiled(module, False)(variables, x)
        for ours, account, theirs in zip(
            found, convolved(x, flat(variables), (1, 1, 1)), y, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(account, theirs, rtol=1e-5, atol=1e-5)


def test_golden_block(shared) -> None:
    golden = np.load(shared / "golden/mtblock_ref.npz")
    x, y = (golden_pair(golden, "", which) for which in "xy")
    variables = golden_variables(golden, "w/")
    inside = variables["params"]["conv1"]
    width = tuple(inside[part]["kernel"].shape[-1] for part in ("local", "prolonged"))
    layers = len(variables["params"]["align_short"]["recurrence"])
    delta = share([channels(x), channels(y), width])
    module = PairedMTBlock(sum(channels(y)), sum(width), delta=delta, layers=layers)
    found, _ = compiled(module, False)(variables, x)
    for ours, theirs in zip(found, y, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "strides"), [((3, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2)), ((1, 1, 1), (1, 2, 2))]
)
def test_it_equals_the_numpy_reference_at_odd_sizes(size, strides) -> None:
    module = PairedMTConv(8, size, strides, 3 / 4)
    variables = drawn(shapes(module))
    found, _ = compiled(module, False)(variables, PAIR)
    expected = convolved(PAIR, flat(variables), strides)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
    assert min(np.min(x) for x in found) < 0


def test_training_updates_the_norm_of_the_long_clip_twice() -> None:
    module = PairedMTConv(8, (1, 3, 3), delta=3 / 4)
    variables = drawn(shapes(module))
    norms = Norms({name: np.float64(value) for name, value in flat(variables).items()}, train=True)
    expected = convolved(PAIR, flat(variables), (1, 1, 1), norms)
    found, state = compiled(module, True)(variables, PAIR)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    before, after = (part["batch_stats"]["norm_prolonged"]["mean"] for part in (variables, state))
    means = [x.mean((0, 1, 2, 3)) for name, x in norms.seen if name == "norm_prolonged"]
    assert len(means) == 2
    # The digest does not say which of the two updates comes first.
    ways = [0.81 * before + 0.09 * a + 0.1 * b for a, b in (means, means[::-1])]
    assert min(abs(way - after).max() for way in ways) < 1e-5


@pytest.mark.parametrize("project", [False, True])
def test_blocks_have_four_convolutions_in_the_order_of_the_released_code(project) -> None:
    """Reducing, back, strided and expanding; the last is pointwise if the shortcut projects."""
    strides = (2, 2, 2) if project else (1, 1, 1)
    features = 16 if project else 8
    module = PairedMTBlock(features, 12, strides, project, 3 / 4)
    params = flatten_dict(shapes(module)["params"], sep="/")
    last = (1, 1, 1) if project else (1, 3, 3)
    plan = {1: ((1, 1, 1), 8, 12), 2: ((1, 1, 1), 12, 8), 3: ((3, 3, 3), 8, 12)}
    for number, (size, into, out) in {**plan, 4: (last, 12, features)}.items():
        kernels = [params[f"conv{number}/{part}/kernel"].shape for part in ("local", "prolonged")]
        assert kernels == [(*size, 3 * into // 4, 3 * out // 4), (*size, into // 4, out // 4)]
    short, long = jax.eval_shape(functools.partial(module.apply, train=False), shapes(module), PAIR)
    sizes = ((4, 3, 3), (2, 2, 2)) if project else ((7, 6, 5), (4, 3, 3))
    assert short.shape == (2, *sizes[0], 3 * features // 4)
    assert long.shape == (2, *sizes[1], features // 4)
    recurrent = [name for name in params if name.endswith("recurrent_kernel")]
    assert len(recurrent) == 4
    assert any(name.startswith("shortcut") for name in params) == project


def test_gradients_reach_features_and_parameters_of_a_block() -> None:
    module = PairedMTBlock(24, 16, (1, 2, 2), True, 1 / 2)
    pair = clips((2, 4, 4, 4, 6), (2, 2, 2, 2, 6))
    variables = drawn(shapes(module, pair))

    def loss(params, pair):
        pair, _ = module.apply(
            {**variables, "params": params}, pair, train=True, mutable=["batch_stats"]
        )
        return sum((x**2).sum() for x in pair)

    gradient = jax.jit(jax.grad(loss, (0, 1)), compiler_options=UNOPTIMIZED)
    by_params, by_pair = gradient(variables["params"], pair)
    for name, value in {
        **flatten_dict(by_params, sep="/"),
        "x": by_pair[0],
        "y": by_pair[1],
    }.items():
        assert np.isfinite(value).all(), name
        assert np.abs(value).max() > 0, name


def test_pairs_keep_bfloat16() -> None:
    module = PairedMTConv(8, delta=3 / 4)
    pair = jax.eval_shape(lambda pair: jax.tree.map(lambda x: x.astype(jnp.bfloat16), pair), PAIR)
    apply = functools.partial(module.apply, train=True, mutable=["batch_stats"])
    found, state = jax.eval_shape(apply, shapes(module), pair)
    assert {x.dtype for x in found} == {np.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {np.dtype("float32")}


@pytest.mark.parametrize("delta", [0, 1, 1.5, "x", True, 0.01])
def test_shares_that_leave_a_clip_without_channels_are_refused(delta) -> None:
    with pytest.raises(ValueError, match=f"delta = {delta!r}"):
        shapes(PairedMTConv(8, delta=delta))
