"""Tests MTNets against chapter 5 in NumPy and the digest's counts, and their refusals."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.layers.test_downsampling import chosen
from tests.methods.test_multi_temporal import Norms, conv, drawn, flat, relu
from tests.methods.test_multi_temporal import account as mtconv
from tests.quickly import UNOPTIMIZED

KEY = jax.random.key(0)
ONES, TWOS = (1, 1, 1, 1), (2, 2, 2, 2)
TINY = {"width": 8, "depths": ONES, "num_classes": 3, "neck": 16}
FULL = (1, 16, 256, 256, 3)
BLOCKS = {"mtnet_m": (3, 5, 11, 7), "mtnet_l": (5, 10, 25, 15)}
WIDTHS = (24, 48, 96, 192)
# Section 2.6 of the digest: computed millions of parameters and billions of multiply-adds.
SWEEP = {
    1: (30.6, 11.4, 22.5),
    7 / 8: (25.75, 8.8, 17.3),
    3 / 4: (22.3, 6.6, 12.9),
    5 / 8: (20.2, 4.8, None),
    1 / 2: (19.5, 3.4, 6.6),
    3 / 8: (20.2, 2.4, 4.5),
    1 / 4: (22.3, 1.7, 3.2),
}
RELEASED = {
    "mtnet_s": ((2, 2, 5, 3), 39_981_968, 24.22),
    "mtnet_m": ((3, 4, 6, 3), 44_038_288, 33.05),
    "mtnet_l": ((3, 4, 23, 3), 88_132_752, 49.74),
}


def make(name="mtnet_m", **options):
    return vidjax.create_model(name, **{**TINY, **options})


def shapes(model, clip):
    return jax.eval_shape(functools.partial(model.init, train=False), KEY, clip)


def clip(*size):
    return np.random.default_rng(0).normal(size=(*size, 3)).astype(np.float32)


def stages(model, size):
    """Returns the shapes of the sown values and of the logits."""
    x = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
    init = functools.partial(model.init_with_output, train=False, mutable=True)
    logits, state = jax.eval_shape(init, KEY, x)
    sown = {name: value[0] for name, value in state["intermediates"].items() if "stage" in name}
    return logits.shape, [sown[f"stage{number}"].shape for number in (1, 2, 3, 4)]


@functools.cache
def cost(name, depths=None, **options):
    options = dict(options) | ({"depths": depths} if depths else {})
    return vidjax.count_cost(vidjax.create_model(name, **options), FULL)


def deeper(counted, depths, what):
    """Extrapolates the cost from two blocks per stage, because later blocks are equal."""
    rows = [(row.layer, getattr(row, what)) for row in counted.by_layer]
    total = sum(value for _, value in rows)
    for stage, depth in enumerate(depths, start=1):
        later = (f"layer{stage}/block2/", f"layer{stage}_block2/")
        total += (depth - 2) * sum(value for layer, value in rows if layer.startswith(later))
    return total


def convolutions(counted, depths):
    """Returns the multiply-adds that the digest counts: no shortcuts, head, cells or resizing."""
    kinds = ("local", "local_space", "local_time", "prolonged", "prolonged_space")
    kinds = (*kinds, "prolonged_time", "lateral")
    rows = [row for row in counted.by_layer if row.layer.split("/")[-1] in kinds]
    stem = sum(row.macs for row in counted.by_layer if row.layer == "stem_layer/conv")
    return stem + deeper(type(counted)(0, 0, tuple(rows)), depths, "macs")


def closed_form(delta, depths):
    """Computes the same from the sizes, shares and taps of table 6.1b, for 16x256^2."""
    total, into, before = 16 * 128**2 * 27 * 24, 24, (8, 64)
    for stage, (out, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        inner, after = 54 * 2**stage, before
        if stage:
            after = tuple(-(-size // 2) for size in before)
        for block in range(depth):
            first = before if block == 0 else after
            for a, b, taps, old, new in (
                (into, inner, (1, 0), first, first),
                (inner, inner, (9, 3), first, after),
                (inner, out, (1, 0), after, after),
            ):
                local, theirs = (math.floor(delta * channels) for channels in (b, a))
                places = new[0] * new[1] ** 2
                total += places * local * (taps[0] * theirs + taps[1] * local)
                if delta < 1:
                    frames, side = halved(old)
                    ratio = old[0] // new[0], old[1] // new[1]
                    places = -(-frames // ratio[0]) * (-(-side // ratio[1])) ** 2
                    b -= local
                    total += places * b * (taps[0] * (a - theirs) + taps[1] * b)
                    frames, side = halved(new)
                    total += frames * side**2 * b * local
            into = out
        before = after
    return total


def halved(size):
    """Returns frames and side of the prolonged branch; two frames are both kept (M6)."""
    frames, side = size
    return (frames if frames <= 2 else frames // 2), side // 2


@pytest.mark.parametrize(
    "delta",
    [
        pytest.param(delta, marks=[pytest.mark.slow] if delta in (3 / 4, 5 / 8, 3 / 8) else [])
        for delta in SWEEP
    ],
)
def test_costs_over_delta_equal_the_digests(delta) -> None:
    params, medium, large = SWEEP[delta]
    counted = cost("mtnet_m", TWOS, delta=delta)
    found = deeper(counted, BLOCKS["mtnet_m"], "params") / 1e6
    assert found == pytest.approx(params, rel=0.01)
    for name, expected in (("mtnet_m", medium), ("mtnet_l", large)):
        macs = convolutions(counted, BLOCKS[name])
        assert macs == closed_form(delta, BLOCKS[name])
        # For delta below one half the digest counts less: its script does not define two frames.
        if expected and delta >= 1 / 2:
            assert macs / 1e9 == pytest.approx(expected, rel=0.06)


def test_the_medium_network_has_the_size_of_the_thesis() -> None:
    counted = cost("mtnet_m", scan=True)
    assert counted.params == deeper(cost("mtnet_m", TWOS, delta=7 / 8), (3, 5, 11, 7), "params")
    assert counted.params / 1e6 == pytest.approx(25.75, rel=0.01)
    assert counted.macs / 1e9 == pytest.approx(8.8, rel=0.03)


def test_released_networks_have_the_size_of_the_released_code() -> None:
    """Counted in networks with two blocks per stage; the other blocks are equal."""
    alike = cost("mtnet_s", TWOS, persistent_low_res=True)
    for name, (depths, params, macs) in RELEASED.items():
        assert vidjax.create_model(name, persistent_low_res=True).depths == depths
        assert deeper(alike, depths, "params") == params
        assert deeper(alike, depths, "macs") / 1e9 == pytest.approx(macs, rel=0.005)


def test_cells_differ_by_their_numbers_of_gates() -> None:
    """A gate on C channels has two matrices and two biases in each layer and block."""
    x = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    gates = sum(2 * c * (c + 1) for c in (8, 16, 32, 64))
    counts = {}
    for cell, layers in (("rnn", 1), ("gru", 1), ("lstm", 1), ("gru", 2)):
        params = shapes(make(cell=cell, layers=layers), x)["params"]
        counts[cell, layers] = sum(map(np.size, jax.tree.leaves(params)))
    assert counts["gru", 1] - counts["rnn", 1] == 2 * gates
    assert counts["lstm", 1] - counts["gru", 1] == gates
    assert counts["gru", 2] - counts["gru", 1] == 3 * gates


def test_class_regularization_adds_the_parameters_of_the_thesis() -> None:
    x = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    params = []
    for options in ({}, {"class_reg": {}}):
        model = vidjax.create_model("mtnet_m", depths=ONES, **options)
        params.append(sum(map(np.size, jax.tree.leaves(shapes(model, x)["params"]))))
    assert params[1] - params[0] == 2048 * sum(WIDTHS)
    assert (params[1] - params[0]) / 1e6 == pytest.approx(0.74, abs=0.005)


@pytest.mark.parametrize("released", [False, True])
def test_frames_and_sides_of_the_stages(released) -> None:
    options = {"persistent_low_res": True} if released else {}
    model = vidjax.create_model("mtnet_m", width=8, depths=ONES, num_classes=3, **options)
    channels = (7, 14, 28, 56) if released else (8, 16, 32, 64)
    for size, expected in {
        (16, 64, 64): [(8, 16), (4, 8), (2, 4), (1, 2)],
        (4, 33, 33): [(2, 9), (1, 5), (1, 3), (1, 2)],
        (2, 32, 32): [(2, 8), (1, 4), (1, 2), (1, 1)],
        (1, 32, 32): [(1, 8), (1, 4), (1, 2), (1, 1)],
    }.items():
        logits, found = stages(model, size)
        assert logits == (2, 3)
        assert found == [(2, t, s, s, c) for (t, s), c in zip(expected, channels, strict=True)]


def test_keep_time_keeps_all_frames() -> None:
    model = vidjax.create_model(
        "mtnet_m", width=8, depths=ONES, num_classes=3, neck=16, keep_time=True
    )
    _, found = stages(model, (5, 32, 32))
    assert [shape[1:3] for shape in found] == [(5, 8), (5, 4), (5, 2), (5, 1)]
    with pytest.raises(ValueError, match="persistent_low_res does not support keep_time"):
        vidjax.create_model("mtnet_m", keep_time=True, persistent_low_res=True)


def gru(x, weights, prefix):
    """Computes PyTorch's GRU cells, with gates in the order reset, update, candidate."""
    layer = 1
    while f"{prefix}/layer{layer}/recurrent_kernel" in weights:
        into, inside = (
            [weights[f"{prefix}/layer{layer}/{side}{part}"] for part in ("kernel", "bias")]
            for side in ("input/", "recurrent_")
        )
        h, states = np.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            ours = np.split(x[:, t] @ into[0] + into[1], 3, -1)
            theirs = np.split(h @ inside[0] + inside[1], 3, -1)
            reset, update = (1 / (1 + np.exp(-ours[i] - theirs[i])) for i in (0, 1))
            new = np.tanh(ours[2] + reset * theirs[2])
            h = (1 - update) * new + update * h
            states.append(h)
        x, layer = np.stack(states, 1), layer + 1
    return x


def below(weights, prefix):
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


def stem(x, weights):
    """Computes the stem: strided 1x3x3, norm, ReLU, strided 1x3x3 max-pool, half of the frames."""
    x = relu(Norms(weights)(conv(x, weights["conv/kernel"], (1, 2, 2)), "norm"))
    x = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3)).max((-2, -1))
    x = x[:, :, ::2, ::2]
    return np.take_along_axis(x, chosen(x)[..., None, None, None], 1)


def block(x, weights, strides, delta):
    """Computes a block: three MTConvs, times the cells' states, addition, ReLU (figure 5.2)."""
    shortcut = x
    if "shortcut/conv/kernel" in weights:
        shortcut = conv(x, weights["shortcut/conv/kernel"], strides)
        shortcut = Norms(weights)(shortcut, "shortcut/norm")
    for number, own in ((1, (1, 1, 1)), (2, strides), (3, (1, 1, 1))):
        settings = {"delta": delta, "strides": own}
        x, _ = mtconv(x, below(weights, f"conv{number}"), settings)
    h = gru(x.mean((2, 3)), weights, "align/recurrence")
    return relu(shortcut + x * h[:, :, None, None])


def network(x, weights, delta):
    """Computes the sown values and the logits in float64."""
    weights = {name: np.float64(value) for name, value in weights.items()}
    x = stem(np.float64(x), below(weights, "stem_layer"))
    sown = {"stem": x}
    for number in (1, 2, 3, 4):
        strides = (1, 1, 1) if number == 1 else (2, 2, 2)
        x = sown[f"stage{number}"] = block(
            x, below(weights, f"layer{number}/block1"), strides, delta
        )
    neck = below(weights, "neck")
    x = relu(Norms(neck)(conv(x, neck["conv/kernel"]), "norm")).mean((1, 2, 3))
    x = relu(x @ neck["expand/kernel"])
    return sown, x @ weights["head/kernel"] + weights["head/bias"]


@functools.cache
def compiled(model):
    apply = functools.partial(model.apply, train=False, mutable=["intermediates"])
    return jax.jit(apply, compiler_options=UNOPTIMIZED)


def test_the_network_equals_that_of_the_text_even_at_odd_sizes() -> None:
    x = clip(2, 11, 45, 38)
    model = make(delta=3 / 4)
    variables = drawn(shapes(model, x), seed=1)
    logits, state = compiled(model)(variables, x)
    sown, expected = network(x, flat(variables), 3 / 4)
    for name, value in sown.items():
        np.testing.assert_allclose(
            state["intermediates"][name][0], value, rtol=1e-4, atol=1e-4 * np.abs(value).max()
        )
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_gradients_reach_all_parameters() -> None:
    """With enough frames for a second step, which the recurrent matrix needs."""
    model = make("mtnet_s", depths=(1, 0, 0, 0), delta=1 / 2)
    x = clip(2, 6, 24, 24)
    variables = drawn(shapes(model, x))

    def loss(params):
        rngs = {"dropout": KEY}
        full = {**variables, "params": params}
        logits, _ = model.apply(full, x, train=True, mutable=["batch_stats"], rngs=rngs)
        return (logits**2).sum()

    gradient = jax.jit(jax.grad(loss), compiler_options=UNOPTIMIZED)(variables["params"])
    for path, value in flat({"params": gradient}).items():
        assert np.isfinite(value).all(), path
        assert np.abs(value).max() > 0, path


@pytest.mark.parametrize(
    "options",
    [
        {"srtg": "final"},
        {"class_reg": {}},
        {"random_scaling": {}},
        {"residual_drop": "random_drop"},
        {"multi_temporal": {}},
        {"kernels": "dense"},
        {"pool": "max"},
        {"split_input": False},
        {"neck": 5},
        {"shortcut": "pad"},
        {"scan": True},
        {"delta": 1},
        {"delta": 0},
        {"delta": 1.5},
        {"delta": "x"},
    ],
    ids=str,
)
def test_the_released_network_refuses_unsupported_options(options) -> None:
    words = {"delta"} if "delta" in options else {"persistent_low_res"}
    x = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    with pytest.raises(ValueError, match="|".join(words)):
        shapes(
            vidjax.create_model(
                "mtnet_s", persistent_low_res=True, width=8, depths=ONES, **options
            ),
            x,
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [("delta", 0), ("delta", 1.5), ("delta", "x"), ("kernels", "y"), ("pool", "z"), ("cell", "a")],
)
def test_invalid_settings_of_mtnets_are_refused(name, value) -> None:
    x = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    with pytest.raises(ValueError, match=f"{name} = {value!r}"):
        shapes(make(**{name: value}), x)


def test_grouped_convolutions_are_refused() -> None:
    with pytest.raises(ValueError, match="does not support multi_temporal: .* have groups"):
        vidjax.create_model("resnext3d_101", multi_temporal={}, depths=ONES)
