"""Pyramids of tiny networks against answers that are worked out in NumPy."""

import re
from collections import Counter
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import ndimage

from vidjax.explain.channels import UnknownPrimitiveError
from vidjax.explain.class_feature_pyramids import class_feature_pyramid

MODES = ["layer", "feature"]
CHAIN = {"": [("conv3", 0, 5)], "conv3": [("conv2", 0, 6)], "conv2": [("conv1", 0, 4)]}
FIRST = ("NCDHW", "OIDHW", "NCDHW")
EPSILON = 1e-5


def examine(network, weights, makers, threshold, inflated=None, **options):
    """The pyramid, and the lists that it should have."""
    pyramid = class_feature_pyramid(
        function_of(network), weights, CLIP, 0, threshold=threshold, **options
    )
    inflated = inflated or weights
    edges = answer(inflated, inputs_of(network, inflated), makers, threshold, **options)
    check(pyramid, edges, makers)
    return pyramid, edges


def straight(xp, conv, x, weights):
    for name in ("conv1", "conv2", "conv3"):
        x = xp.maximum(conv(name, x), 0)
    return x.mean((1, 2, 3))


STRAIGHT = kernels_of(10, conv1=(3, 4), conv2=(4, 6), conv3=(6, 5), head=5)


class Chain(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        pools = (partial(nn.max_pool, window_shape=(1, 2, 2), strides=(1, 2, 2)),)
        pools += (partial(nn.avg_pool, window_shape=(2, 2, 2), strides=(2, 2, 2)),)
        for number, width in enumerate((4, 6, 5), 1):
            x = nn.Conv(width, (3, 3, 3), name=f"conv{number}")(x)
            x = nn.BatchNorm(not train, epsilon=EPSILON, name=f"norm{number}")(x)
            x = nn.relu(x)
            x = pools[number - 1](x) if number < 3 else x
        return nn.Dense(3, name="head")(x.mean((1, 2, 3)))


def pool(x, window, reduce):
    n, *sizes, channels = x.shape
    cells = [(size // by, by) for size, by in zip(sizes, window, strict=True)]
    x = x[:, *(slice(many * by) for many, by in cells)]
    return reduce(x.reshape(n, *sum(cells, ()), channels), axis=(2, 4, 6))


@pytest.fixture(scope="module")
def chain():
    """Variables, and what each layer gets."""
    params, stats = {"head": {"kernel": STRAIGHT["head"], "bias": normal(5, 3)}}, {}
    x, inputs = CLIP, {}
    for number in (1, 2, 3):
        kernel, inputs[f"conv{number}"] = STRAIGHT[f"conv{number}"], x
        bias, shift, mean = normal(20 + number, 3, kernel.shape[-1])
        scale, var = np.exp(normal(30 + number, 2, kernel.shape[-1]))
        params[f"conv{number}"] = {"kernel": kernel, "bias": bias}
        params[f"norm{number}"] = {"scale": scale, "bias": shift}
        stats[f"norm{number}"] = {"mean": mean, "var": var}
        x = (convolve(x, kernel) + bias - mean) / np.sqrt(var + EPSILON) * scale + shift
        x = np.maximum(x, 0)
        if number < 3:
            x = pool(x, (1, 2, 2), np.max) if number == 1 else pool(x, (2, 2, 2), np.mean)
    return {"params": params, "batch_stats": stats}, inputs | {"head": x}


@pytest.fixture(scope="module")
def pyramids(chain):
    """Of class 1 of the chain, in both modes."""
    return {m: class_feature_pyramid(Chain(), chain[0], CLIP, 1, 3, 0.5, m) for m in MODES}


@pytest.mark.parametrize("mode", MODES)
def test_a_chain_of_convolutions_gives_the_lists_of_the_formulas(chain, pyramids, mode):
    edges = answer(STRAIGHT, chain[1], CHAIN, 0.5, mode=mode, class_index=1)
    check(pyramids[mode], edges, CHAIN)
    assert 1 < len(edges["", 1]) < 5
    assert pyramids[mode].class_index == 1
    lists = [own for (name, _), own in edges.items() if name == "conv3"]
    assert (lists[0] == lists[1]) == (mode == "layer")


def test_maps_are_the_activations_that_the_layer_after_gets(chain, pyramids):
    after = {"conv3": "head", "conv2": "conv3", "conv1": "conv2"}
    for layer in pyramids["feature"].layers:
        wanted = np.moveaxis(chain[1][after[layer.name]][0], -1, 0)[layer.kernels]
        np.testing.assert_allclose(layer.maps, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_tubes_are_sums_of_activations_enlarged_by_cubic_splines(pyramids, mode):
    pyramid = pyramids[mode]
    lists = lists_of(pyramid)
    maps = {
        (layer.name, int(kernel)): own
        for layer in pyramid.layers
        for kernel, own in zip(layer.kernels, layer.maps, strict=True)
    }
    for layer in pyramid.layers:
        whole = np.einsum("n,nthw->thw", layer.counts, layer.maps)
        np.testing.assert_allclose(pyramid.tube(layer.name), enlarged(whole), atol=1e-4)
        for kernel, own in zip(layer.kernels.tolist(), layer.maps, strict=True):
            place = layer.name, kernel
            np.testing.assert_allclose(pyramid.tube(*place), enlarged(own), atol=1e-4)
            if place in lists:
                wanted = enlarged(sum(maps[child] for child in lists[place]))
                np.testing.assert_allclose(pyramid.children_tube(*place), wanted, atol=1e-4)
    assert max(pyramid.layers[-1].counts) > 1


def test_a_tube_of_what_is_not_in_the_pyramid_is_refused(pyramids):
    pyramid = pyramids["layer"]
    missing = min(set(range(6)) - set(pyramid.layer("conv2").kernels.tolist()))
    with pytest.raises(ValueError, match="nowhere"):
        pyramid.tube("nowhere")
    with pytest.raises(ValueError, match=str(missing)):
        pyramid.tube("conv2", missing)


def test_the_predicted_class_is_taken_where_none_is_named(chain):
    logits = chain[1]["head"].mean((0, 1, 2, 3)) @ STRAIGHT["head"]
    label = int((logits + chain[0]["params"]["head"]["bias"]).argmax())
    pyramid = class_feature_pyramid(Chain(), chain[0], CLIP[0], depth=1, threshold=0.5)
    assert pyramid.class_index == label
    edges = answer(STRAIGHT, chain[1], CHAIN, 0.5, depth=1, class_index=label)
    check(pyramid, edges, CHAIN)


@pytest.mark.parametrize("mode", MODES)
def test_the_tree_says_the_same_as_the_lists(pyramids, mode):
    lists = lists_of(pyramids[mode])

    def visit(nodes, place):
        assert {(node.layer, node.kernel): node.weight for node in nodes} == lists.get(place, {})
        below = [visit(node.children, (node.layer, node.kernel)) for node in nodes]
        return 1 + max(below) if nodes else 0

    assert visit(pyramids[mode].roots, ("", 1)) == 3


def channels_second(variables, clip):
    params, stats = variables["params"], variables["batch_stats"]
    x = jnp.moveaxis(clip, -1, 1)
    for number in (1, 2, 3):
        layer, norm = params[f"conv{number}"], params[f"norm{number}"]
        kernel = jnp.transpose(layer["kernel"], (4, 3, 0, 1, 2))
        with jax.named_scope(f"conv{number}"):
            x = lax.conv_general_dilated(x, kernel, (1, 1, 1), "SAME", dimension_numbers=FIRST)
            x = x + layer["bias"].reshape(-1, 1, 1, 1)
        mean, var = (stats[f"norm{number}"][name][:, None, None, None] for name in ("mean", "var"))
        x = (x - mean) * lax.rsqrt(var + EPSILON) * norm["scale"].reshape(1, -1, 1, 1, 1)
        x = jax.nn.relu(x + norm["bias"][:, None, None, None])
        if number == 1:
            window = (1, 1, 1, 2, 2)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        if number == 2:
            window = (1, 1, 2, 2, 2)
            x = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / 8
    return x.mean((2, 3, 4)) @ params["head"]["kernel"] + params["head"]["bias"]


def assert_same_layers(one, other, names=True):
    for a, b in zip(one.layers, other.layers, strict=True):
        assert (a.name == b.name or not names) and a.level == b.level
        for field in ("kernels", "counts", "weights", "maps"):
            values = (getattr(x, field) for x in (a, b))
            np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_plain_jax_with_channels_second_gives_what_flax_gives(chain, pyramids, mode):
    plain = class_feature_pyramid(channels_second, chain[0], CLIP, 1, 3, 0.5, mode)
    assert_same_lists(lists_of(plain), lists_of(pyramids[mode]))
    assert_same_layers(plain, pyramids[mode])
    np.testing.assert_allclose(plain.tube("conv2"), pyramids[mode].tube("conv2"), atol=1e-4)


@pytest.mark.parametrize(("depth", "names"), [(1, "3"), (2, "32")])
def test_depth_counts_the_level_of_the_class(depth, names):
    pyramid, _ = examine(straight, STRAIGHT, CHAIN, 0.5, depth=depth)
    assert [layer.name for layer in pyramid.layers] == [f"conv{name}" for name in names]


@pytest.mark.parametrize("top", [1, 2])
def test_at_most_top_channels_of_each_list_are_kept(top):
    whole, _ = examine(straight, STRAIGHT, CHAIN, 0.3, mode="feature")
    pyramid, _ = examine(straight, STRAIGHT, CHAIN, 0.3, mode="feature", top=top)
    assert max(map(len, lists_of(pyramid).values())) == top
    assert max(map(len, lists_of(whole).values())) > 2


def test_products_that_are_all_equal_keep_nothing():
    weights = dict(STRAIGHT, head=STRAIGHT["head"] * [0, 1, 1])
    pyramid, _ = examine(straight, weights, CHAIN, 0.5)
    assert pyramid.layers == () and pyramid.roots == ()
    weights = dict(STRAIGHT, conv3=np.zeros_like(STRAIGHT["conv3"]))
    assert class_feature_pyramid(function_of(straight), weights, CLIP, 1).layers == ()
    weights = dict(
        STRAIGHT, conv2=np.full_like(STRAIGHT["conv2"], 0.1), conv1=STRAIGHT["conv1"][..., :1]
    )
    weights["conv1"] = np.repeat(weights["conv1"], 4, -1)
    pyramid, _ = examine(straight, weights, CHAIN, 0)
    assert [layer.name for layer in pyramid.layers] == ["conv3", "conv2"]


@pytest.mark.parametrize("mode", MODES)
def test_another_order_of_a_layers_channels_only_renumbers_them(mode):
    order = np.array([3, 0, 5, 1, 4, 2])
    other = dict(STRAIGHT, conv2=STRAIGHT["conv2"][..., order])
    other["conv3"] = STRAIGHT["conv3"][..., order, :]
    options = {"threshold": 0.3, "mode": mode, "depth": 3}
    one, two = (
        class_feature_pyramid(function_of(straight), weights, CLIP, 0, **options)
        for weights in (STRAIGHT, other)
    )

    def renamed(place):
        return (place[0], int(order[place[1]])) if place[0] == "conv2" else place

    renumbered = {
        renamed(place): {renamed(to): share for to, share in edges.items()}
        for place, edges in lists_of(two).items()
    }
    assert_same_lists(renumbered, lists_of(one))
    assert one.layer("conv2").kernels.tolist() != two.layer("conv2").kernels.tolist()


def residual(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    for block in "12":
        main = conv(f"b{block}", xp.maximum(conv(f"a{block}", x), 0))
        x = xp.maximum(x + main, 0)
    return x.mean((1, 2, 3))


RESIDUAL = kernels_of(50, stem=(3, 6), a1=(6, 4), b1=(4, 6), a2=(6, 4), b2=(4, 6), head=6)
RESIDUAL_MAKERS = {
    "": [("b2", 0, 6), ("b1", 0, 6), ("stem", 0, 6)],
    "b2": [("a2", 0, 4)],
    "a2": [("b1", 0, 6), ("stem", 0, 6)],
    "b1": [("a1", 0, 4)],
    "a1": [("stem", 0, 6)],
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [2, 5])
def test_an_identity_shortcut_passes_channels_on_to_all_that_added_to_them(depth, mode):
    pyramid, _ = examine(residual, RESIDUAL, RESIDUAL_MAKERS, 0.5, depth=depth, mode=mode)
    names = ["b2", "a2", "b1", "a1", "stem"][:depth]
    assert [layer.name for layer in pyramid.layers] == names
    if depth == 5:
        assert len(set(pyramid.layer("b1").counts.tolist())) > 1


def projected(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    main = conv("b", xp.maximum(conv("a", x), 0))
    return xp.maximum(main + conv("project", x), 0).mean((1, 2, 3))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [2, 3])
def test_a_projection_shortcut_is_a_layer(depth, mode):
    weights = kernels_of(70, stem=(3, 6), a=(6, 4), b=(4, 5), head=5)
    weights["project"] = normal(7, 1, 1, 1, 6, 5)
    makers = {"": [("b", 0, 5), ("project", 0, 5)], "b": [("a", 0, 4)]}
    makers |= {"project": [("stem", 0, 6)], "a": [("stem", 0, 6)]}
    pyramid, edges = examine(projected, weights, makers, 0.5, depth=depth, mode=mode)
    assert sorted(layer.level for layer in pyramid.layers) == [1, 1, 2, 3][: depth + 1]
    assert pyramid.layer("b").kernels.tolist() == pyramid.layer("project").kernels.tolist()


def inflate(kernel, groups):
    """A grouped convolution's kernels over all channels, zero where they look at none."""
    each, own = kernel.shape[-2], kernel.shape[-1] // groups
    whole = np.zeros((*kernel.shape[:3], groups * each, kernel.shape[-1]), np.float32)
    for group in range(groups):
        rows, columns = (
            slice(group * each, (group + 1) * each),
            slice(group * own, (group + 1) * own),
        )
        whole[..., rows, columns] = kernel[..., columns]
    return whole


def grouped(xp, conv, x, weights):
    return xp.maximum(conv("conv2", xp.maximum(conv("conv1", x), 0)), 0).mean((1, 2, 3))


GROUPED_MAKERS = {"": [("conv2", 0, 8)], "conv2": [("conv1", 0, 8)]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("groups", [2, 8])
def test_grouped_kernels_are_inflated_with_zeros_that_take_part(groups, mode):
    weights = kernels_of(80, conv1=(3, 8), conv2=(8 // groups, 8), head=8)
    inflated = dict(weights, conv2=inflate(weights["conv2"], groups))
    _, edges = examine(grouped, weights, GROUPED_MAKERS, 0.3, inflated=inflated, mode=mode, depth=2)
    pairs = [(n, to) for (name, n), own in edges.items() if name for _, to in own]
    assert any(n * groups // 8 != to * groups // 8 for n, to in pairs)


@pytest.mark.parametrize("groups", [2, 8])
def test_where_zeros_are_the_least_a_kernel_relies_on_its_own_group_alone(groups):
    weights = kernels_of(80, conv1=(3, 8), conv2=(8 // groups, 8), head=8)
    weights["conv2"] = abs(weights["conv2"])
    pyramid = class_feature_pyramid(function_of(grouped), weights, CLIP, 0, 2, 0.01, "feature")
    pairs = [(n, to) for (name, n), own in pyramid.edges.items() if name for (_, to), _ in own]
    assert pairs and all(n * groups // 8 == to * groups // 8 for n, to in pairs)


def branched(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    right = conv("right2", xp.maximum(conv("right1", x), 0))
    x = xp.maximum(xp.concatenate([conv("left", x), right], -1), 0)
    return xp.maximum(conv("top", x), 0).mean((1, 2, 3))


@pytest.mark.parametrize("mode", MODES)
def test_branches_have_their_own_numbers_and_meet_at_the_later_level(mode):
    weights = kernels_of(
        90, stem=(3, 5), left=(5, 3), right1=(5, 2), right2=(2, 5), top=(8, 4), head=4
    )
    makers = {"": [("top", 0, 4)], "top": [("left", 0, 3), ("right2", 3, 5)]}
    makers |= {"right2": [("right1", 0, 2)], "left": [("stem", 0, 5)], "right1": [("stem", 0, 5)]}
    pyramid, _ = examine(branched, weights, makers, 0.4, depth=4, mode=mode)
    levels = {layer.name: layer.level for layer in pyramid.layers}
    assert levels == {"top": 1, "left": 2, "right2": 2, "right1": 3, "stem": 4}


def excited(xp, conv, x, weights, convolutions):
    x = xp.maximum(conv("conv1", x), 0)
    if convolutions:
        gate = conv("expand", xp.maximum(conv("reduce", x.mean((1, 2, 3), keepdims=True)), 0))
    else:
        gate = xp.maximum(x.mean((1, 2, 3)) @ weights["reduce"][0, 0, 0], 0)
        gate = (gate @ weights["expand"][0, 0, 0])[:, None, None, None]
    return xp.maximum(conv("conv2", x / (1 + xp.exp(-gate))), 0).mean((1, 2, 3))


@pytest.mark.parametrize("convolutions", [False, True])
def test_a_gate_scales_what_is_averaged_but_its_layers_are_no_part(convolutions):
    weights = kernels_of(100, conv1=(3, 6), conv2=(6, 5), head=5)
    weights |= {"reduce": normal(1, 1, 1, 1, 6, 2), "expand": 4 * normal(2, 1, 1, 1, 2, 6)}
    makers = {"": [("conv2", 0, 5)], "conv2": [("conv1", 0, 6)]}
    network = partial(excited, convolutions=convolutions)
    _, edges = examine(network, weights, makers, 0.4, depth=2, mode="feature")
    inputs = inputs_of(network, weights)
    ungated = dict(inputs, conv2=np.maximum(convolve(CLIP, weights["conv1"]), 0))
    assert answer(weights, ungated, makers, 0.4, depth=2, mode="feature") != edges


def two_pathways(xp, conv, x, weights):
    slow = xp.maximum(conv("slow", x[:, ::3, ::2]), 0)
    fast = xp.maximum(conv("fast", x), 0)
    return xp.concatenate([slow.mean((1, 2, 3)), fast.mean((1, 2, 3))], -1)


def test_pathways_of_different_numbers_of_frames_are_shown_at_the_size_of_the_clip():
    weights = kernels_of(110, slow=(3, 5), fast=(3, 3), head=8)
    makers = {"": [("slow", 0, 5), ("fast", 5, 3)]}
    pyramid, _ = examine(two_pathways, weights, makers, 0.4, depth=1)
    for name, x in (("slow", CLIP[:, ::3, ::2]), ("fast", CLIP)):
        layer = pyramid.layer(name)
        maps = np.moveaxis(np.maximum(convolve(x, weights[name])[0], 0), -1, 0)[layer.kernels]
        np.testing.assert_allclose(layer.maps, maps, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(pyramid.tube(name), enlarged(maps.sum(0)), atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_scan_over_equal_blocks_is_the_same_as_the_blocks(mode):
    weights = kernels_of(120, stem=(3, 5), b0=(5, 5), b1=(5, 5), b2=(5, 5), head=5)
    stack = np.stack([weights[f"b{number}"] for number in range(3)])

    def unrolled(xp, conv, x, weights):
        x = xp.maximum(conv("stem", x), 0)
        for number in range(3):
            x = xp.maximum(conv(f"b{number}", x), 0)
        return x.mean((1, 2, 3))

    def scanned(weights, clip):
        def block(x, kernel):
            with jax.named_scope("block"):
                x = lax.conv_general_dilated(x, kernel, (1, 1, 1), "SAME", None, None, LAST)
            return jax.nn.relu(x), None

        with jax.named_scope("stem"):
            x = lax.conv_general_dilated(clip, weights["stem"], (1, 1, 1), "SAME", None, None, LAST)
        x, _ = lax.scan(block, jax.nn.relu(x), weights["stack"])
        return x.mean((1, 2, 3)) @ weights["head"]

    makers = {"": [("b2", 0, 5)], "b2": [("b1", 0, 5)], "b1": [("b0", 0, 5)]}
    makers["b0"] = [("stem", 0, 5)]
    one, _ = examine(unrolled, weights, makers, 0.5, depth=4, mode=mode)
    weights["stack"] = stack
    two = class_feature_pyramid(scanned, weights, CLIP, 0, 4, 0.5, mode)
    assert_same_layers(one, two, names=False)
    names = {b.name: a.name for a, b in zip(one.layers, two.layers, strict=True)} | {"": ""}
    assert len(names) == 5

    def renamed(place):
        return names[place[0]], place[1]

    found = {
        renamed(place): {renamed(to): share for to, share in edges.items()}
        for place, edges in lists_of(two).items()
    }
    assert_same_lists(found, lists_of(one))


@jax.custom_vjp
def positive(x):
    return jnp.maximum(x, 0)


positive.defvjp(lambda x: (jnp.maximum(x, 0), x), lambda x, g: (g * (x > 0),))


def roundabout(weights, clip):
    plain = partial(lax.conv_general_dilated, window_strides=(1, 1, 1), padding="SAME")
    x = clip[:, jnp.array([0, 1, 4])]
    with jax.named_scope("conv1"):
        x = jax.jit(partial(plain, dimension_numbers=LAST))(x, weights["conv1"])
    x = jnp.pad(positive(x).transpose(0, 4, 1, 2, 3), [(0, 0), (0, 0), (0, 0), (1, 1), (1, 1)])
    with jax.named_scope("conv2"):
        plain = partial(plain, padding="VALID", dimension_numbers=FIRST)
        x = jax.checkpoint(plain)(x, weights["conv2"].transpose(4, 3, 0, 1, 2))
    x = jax.nn.gelu(x.transpose(0, 2, 3, 4, 1))[:, 1:]
    frames = x.reshape(-1, *x.shape[2:])
    with jax.named_scope("conv3"):
        kernel = weights["conv3"][0]
        frames = lax.conv_general_dilated(
            frames, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    x = jnp.maximum(frames, 0).reshape(1, 2, -1, frames.shape[-1])
    return x.mean(2).mean(1) @ weights["head"]


def test_what_moves_no_channels_is_passed_through():
    weights = {name: x if name == "head" else x[:1] for name, x in STRAIGHT.items()}
    x = np.maximum(convolve(CLIP[:, [0, 1, 4]], weights["conv1"]), 0)
    inputs = {"conv2": x}
    inputs["conv3"] = np.asarray(jax.nn.gelu(convolve(x, weights["conv2"])))[:, 1:]
    inputs["head"] = np.maximum(convolve(inputs["conv3"], weights["conv3"]), 0)
    pyramid = class_feature_pyramid(roundabout, weights, CLIP, 0, 3, 0.4, "feature")
    check(pyramid, answer(weights, inputs, CHAIN, 0.4, mode="feature"), CHAIN)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"class_index": 3}, "3"),
        ({"class_index": -1}, "-1"),
        ({"threshold": -0.1}, "-0.1"),
        ({"threshold": 1.5}, "1.5"),
        ({"depth": 0}, "0"),
        ({"depth": 4}, "4"),
        ({"mode": "kernel"}, "kernel"),
        ({"clip": np.concatenate([CLIP, CLIP])}, "(2, 5, 9, 10, 3)"),
        ({"clip": CLIP[0, 0]}, "(9, 10, 3)"),
    ],
)
def test_wrong_values_are_named(options, named):
    options = {"clip": CLIP, "class_index": 0, "depth": 3} | options
    with pytest.raises(ValueError, match=rf"(?<![\d.-]){re.escape(named)}(?![\d.])"):
        class_feature_pyramid(function_of(straight), STRAIGHT, **options)


def test_an_unknown_primitive_on_the_way_is_named_with_its_layer():
    def spectral(xp, conv, x, weights):
        x = conv("conv2", xp.maximum(conv("conv1", x), 0))
        with jax.named_scope("spectrum"):
            x = jnp.fft.fft(x, axis=1).real
        return conv("conv3", x).mean((1, 2, 3))

    model = function_of(spectral)
    with pytest.raises(UnknownPrimitiveError, match="(?s)(?=.*fft)(?=.*spectrum)"):
        class_feature_pyramid(model, STRAIGHT, CLIP, 0, 2)
