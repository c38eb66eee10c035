"""Tests pyramids of tiny networks against results computed in NumPy."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.explain import numpy_reference
from tests.explain.numpy_reference import (
    CLIP,
    WEIGHTS,
    assert_same_lists,
    examine,
    kernels_of,
    lists_of,
)
from vidjax.explain.class_feature_pyramids import class_feature_pyramid

both_modes = pytest.mark.parametrize("mode", ["layer", "feature"])


def straight(xp, conv, x, weights):
    for name in ("conv1", "conv2", "conv3"):
        x = xp.maximum(conv(name, x), 0)
    return x.mean((1, 2, 3))


@pytest.fixture(scope="module")
def chain():
    return numpy_reference.chain_by_hand()


@pytest.fixture(scope="module")
def pyramids(chain):
    """Returns pyramids of class 2 of the chain."""
    of = partial(class_feature_pyramid, numpy_reference.Chain(), chain[0], CLIP, 2, 3, 0.5)
    return {mode: of(mode) for mode in ("layer", "feature")}


@both_modes
def test_lists_of_a_chain_of_convolutions_follow_the_formulas(chain, pyramids, mode):
    edges = numpy_reference.answer(
        WEIGHTS, chain[1], numpy_reference.CHAIN, 0.5, mode=mode, class_index=2
    )
    numpy_reference.check(pyramids[mode], edges, numpy_reference.CHAIN)
    assert pyramids[mode].class_index == 2
    lists = [own for (name, _), own in edges.items() if name == "conv3"]
    assert all(own == lists[0] for own in lists) == (mode == "layer")


@both_modes
def test_plain_jax_with_channels_second_equals_flax(chain, pyramids, mode):
    plain = class_feature_pyramid(
        numpy_reference.channels_second, chain[0], CLIP[0], 2, 3, 0.5, mode
    )
    assert_same_lists(lists_of(plain), lists_of(pyramids[mode]))
    for one, other in zip(plain.layers, pyramids[mode].layers, strict=True):
        assert (one.name, one.level) == (other.name, other.level)
        np.testing.assert_allclose(one.maps, other.maps, rtol=1e-3, atol=1e-4)


def test_the_predicted_class_is_the_default(chain):
    logits = chain[1]["head"].mean((0, 1, 2, 3)) @ WEIGHTS["head"]
    label = int((logits + chain[0]["params"]["head"]["bias"]).argmax())
    pyramid = class_feature_pyramid(numpy_reference.Chain(), chain[0], CLIP, depth=1, threshold=0.5)
    edges = numpy_reference.answer(
        WEIGHTS, chain[1], numpy_reference.CHAIN, 0.5, depth=1, class_index=label
    )
    numpy_reference.check(pyramid, edges, numpy_reference.CHAIN)


@both_modes
def test_the_tree_equals_the_lists(pyramids, mode):
    lists = lists_of(pyramids[mode])

    def visit(nodes, place):
        assert {(node.layer, node.kernel): node.weight for node in nodes} == lists.get(place, {})
        below = [visit(node.children, (node.layer, node.kernel)) for node in nodes]
        return 1 + max(below) if nodes else 0

    assert visit(pyramids[mode].roots, ("", 2)) == 3


def test_maps_are_the_inputs_of_the_next_layer(chain, pyramids):
    after = {"conv3": "head", "conv2": "conv3", "conv1": "conv2"}
    for layer in pyramids["feature"].layers:
        wanted = np.moveaxis(chain[1][after[layer.name]][0], -1, 0)[layer.kernels]
        np.testing.assert_allclose(layer.maps, wanted, rtol=1e-3, atol=1e-4)


def test_tubes_are_sums_of_activations_enlarged_by_cubic_splines(pyramids):
    pyramid = pyramids["feature"]
    maps = {
        (layer.name, int(kernel)): own
        for layer in pyramid.layers
        for kernel, own in zip(layer.kernels, layer.maps, strict=True)
    }
    for layer in pyramid.layers:
        wanted = numpy_reference.enlarged(np.einsum("n,nthw->thw", layer.counts, layer.maps))
        np.testing.assert_allclose(pyramid.tube(layer.name), wanted, atol=1e-4)
    for place, own in maps.items():
        np.testing.assert_allclose(pyramid.tube(*place), numpy_reference.enlarged(own), atol=1e-4)
    for place, edges in lists_of(pyramid).items():
        wanted = numpy_reference.enlarged(sum(maps[child] for child in edges))
        np.testing.assert_allclose(pyramid.children_tube(*place), wanted, atol=1e-4)
    assert len(set(pyramid.layer("conv2").counts.tolist())) > 1
    missing, *_ = set(range(5)) - set(pyramid.layer("conv3").kernels.tolist())
    for place in [("nowhere", None), ("conv3", missing)]:
        with pytest.raises(ValueError, match="nowhere|conv3"):
            pyramid.tube(*place)


@pytest.mark.parametrize(("depth", "names"), [(1, "3"), (2, "32")])
def test_depth_includes_the_level_of_the_class(depth, names):
    pyramid, _ = examine(straight, WEIGHTS, numpy_reference.CHAIN, 0.5, depth=depth)
    assert [layer.name for layer in pyramid.layers] == [f"conv{name}" for name in names]


@pytest.mark.parametrize("top", [1, 2])
def test_at_most_top_channels_of_each_list_are_kept(top):
    pyramid, edges = examine(straight, WEIGHTS, numpy_reference.CHAIN, 0.5, mode="feature", top=top)
    assert max(map(len, lists_of(pyramid).values())) == top
    inputs = numpy_reference.inputs_of(straight, WEIGHTS)
    assert (
        numpy_reference.answer(
            WEIGHTS, inputs, numpy_reference.CHAIN, 0.5, mode="feature", top=top + 1
        )
        != edges
    )


@pytest.mark.parametrize(("level", "left"), [("head", ""), ("conv3", "3"), ("conv2", "32")])
def test_equal_products_keep_no_kernel(level, left):
    weights = dict(WEIGHTS)
    if level == "head":
        weights["head"] = WEIGHTS["head"] * [0, 1, 1]
    else:
        weights[level] = np.zeros_like(WEIGHTS[level])
        weights[level][0, 1, 1], weights[level][2, 1, 1] = 1, -1
        weights[level] *= WEIGHTS[level][:1, :1, :1]
    pyramid, _ = examine(straight, weights, numpy_reference.CHAIN, 0)
    assert [layer.name for layer in pyramid.layers] == [f"conv{name}" for name in left]


@both_modes
def test_permuting_channels_only_renumbers_them(mode):
    order = np.array([3, 0, 5, 1, 4, 2])
    other = dict(WEIGHTS, conv2=WEIGHTS["conv2"][..., order])
    other["conv3"] = WEIGHTS["conv3"][..., order, :]
    model = numpy_reference.function_of(straight)
    one, two = (
        lists_of(class_feature_pyramid(model, weights, CLIP, 0, 3, 0.5, mode))
        for weights in (WEIGHTS, other)
    )
    assert one != two
    name = lambda place: (place[0], order[place[1]] if place[0] == "conv2" else place[1])  # noqa: E731
    assert_same_lists(numpy_reference.renamed(two, name), one)


def residual(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    for block in "12":
        main = conv(f"b{block}", xp.maximum(conv(f"a{block}", x), 0))
        x = xp.maximum(x + main, 0)
    return x.mean((1, 2, 3))


@pytest.mark.parametrize(("depth", "mode"), [(2, "layer"), (5, "layer"), (5, "feature")])
def test_an_identity_shortcut_passes_channels_to_all_summands(depth, mode):
    weights = kernels_of(50, stem=(3, 6), a1=(6, 4), b1=(4, 6), a2=(6, 4), b2=(4, 6), head=6)
    makers = {"": [("b2", 0, 6), ("b1", 0, 6), ("stem", 0, 6)], "b2": [("a2", 0, 4)]}
    makers |= {"a2": makers[""][1:], "b1": [("a1", 0, 4)], "a1": makers[""][2:]}
    pyramid, _ = examine(residual, weights, makers, 0.5, depth=depth, mode=mode)
    assert [layer.name for layer in pyramid.layers] == ["b2", "a2", "b1", "a1", "stem"][:depth]
    assert depth == 2 or len(set(pyramid.layer("b1").counts.tolist())) > 1


def projected(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    main = conv("b", xp.maximum(conv("a", x), 0))
    return xp.maximum(main + conv("project", x), 0).mean((1, 2, 3))


@pytest.mark.parametrize(("depth", "mode"), [(2, "layer"), (3, "layer"), (3, "feature")])
def test_a_projection_shortcut_is_a_layer(depth, mode):
    weights = kernels_of(70, stem=(3, 6), a=(6, 4), b=(4, 5), head=5)
    weights["project"] = numpy_reference.normal(7, 1, 1, 1, 6, 5)
    makers = {"": [("b", 0, 5), ("project", 0, 5)], "b": [("a", 0, 4)]}
    makers |= {"project": [("stem", 0, 6)], "a": [("stem", 0, 6)]}
    pyramid, _ = examine(projected, weights, makers, 0.5, depth=depth, mode=mode)
    assert [layer.level for layer in pyramid.layers] == [1, 1, 2, 3][: depth + 1]
    assert pyramid.layer("b").kernels.tolist() == pyramid.layer("project").kernels.tolist()


def grouped(xp, conv, x, weights):
    return xp.maximum(conv("conv2", xp.maximum(conv("conv1", x), 0)), 0).mean((1, 2, 3))


@pytest.mark.parametrize("groups", [2, 8])
@pytest.mark.parametrize("positive", [False, True])
def test_zeros_of_other_groups_count_but_are_not_kept_if_smallest(groups, positive):
    weights = kernels_of(80, conv1=(3, 8), conv2=(8 // groups, 8), head=8)
    if positive:
        weights["conv2"] = abs(weights["conv2"])
    same_group = np.arange(8)[:, None] * groups // 8 == np.arange(8) * groups // 8
    inflated = dict(weights, conv2=np.tile(weights["conv2"], (groups, 1)) * same_group)
    makers = {"": [("conv2", 0, 8)], "conv2": [("conv1", 0, 8)]}
    options = {"inflated": inflated, "depth": 2}
    examine(grouped, weights, makers, 0.3, mode="layer", **options)
    pyramid, _ = examine(grouped, weights, makers, 0.01, mode="feature", **options)
    pairs = [(n, to) for (name, n), own in lists_of(pyramid).items() if name for _, to in own]
    assert all(same_group[pair] for pair in pairs) == positive


def lists_by_group(weights, inputs, groups, threshold, mode):
    """Returns the lists of `conv2`: each kernel's products with its own group only."""
    edges = numpy_reference.answer(weights, inputs, {"": [("conv2", 0, 8)]}, threshold, depth=1)
    rows, pooled = weights["conv2"].mean((0, 1, 2)), inputs["conv2"].mean((0, 1, 2, 3))
    size = 8 // groups
    for group in range(groups):
        own = slice(group * size, (group + 1) * size)
        kernels = [k for _, k in edges["", 0] if k // size == group]
        lists = {k: rows[:, k] * pooled[own] for k in kernels}
        if mode == "layer" and kernels:
            lists = dict.fromkeys(kernels, np.mean(list(lists.values()), axis=0))
        for kernel, products in lists.items():
            kept = {0: 1.0} if size == 1 else numpy_reference.keep(products, threshold, None)
            edges["conv2", kernel] = {("conv1", own.start + i): w for i, w in kept.items()}
    return edges


@both_modes
@pytest.mark.parametrize("groups", [2, 4, 8])
@pytest.mark.parametrize("sign", [1, -1])
def test_by_default_a_kernel_is_compared_over_its_own_group(groups, sign, mode):
    weights = kernels_of(80, conv1=(3, 8), conv2=(8 // groups, 8), head=8)
    weights["conv2"] = sign * abs(weights["conv2"])
    inputs = numpy_reference.inputs_of(
        grouped, dict(weights, conv2=np.tile(weights["conv2"], (groups, 1)) * 0)
    )
    model = numpy_reference.function_of(raised)
    conv2 = np.asarray(
        numpy_reference.conv3d(inputs["conv2"], weights["conv2"], feature_group_count=groups)
    )
    # Without the shift, features with negative products would all be zero.
    weights["bias"] = np.float32(1 - conv2.min())
    inputs["head"] = np.maximum(conv2 + weights["bias"], 0)
    found = lists_of(class_feature_pyramid(model, weights, CLIP, 0, 2, 0.3, mode))
    wanted = lists_by_group(weights, inputs, groups, 0.3, mode)
    assert_same_lists(found, wanted)
    # Kernels with negative products do not end the pyramid.
    assert all(wanted["conv2", kernel] for _, kernel in wanted["", 0])


def raised(xp, conv, x, weights):
    x = xp.maximum(conv("conv1", x), 0)
    return xp.maximum(conv("conv2", x) + weights["bias"], 0).mean((1, 2, 3))


def branched(xp, conv, x, weights):
    x = xp.maximum(conv("stem", x), 0)
    right = conv("right2", xp.maximum(conv("right1", x), 0))
    x = xp.maximum(xp.concatenate([conv("left", x), right], -1), 0)
    return xp.maximum(conv("top", x), 0).mean((1, 2, 3))


@both_modes
def test_branches_have_own_numbers_and_join_at_the_later_level(mode):
    channels = {"left": (5, 3), "right1": (5, 2), "right2": (2, 5), "top": (8, 4), "head": 4}
    weights = kernels_of(90, stem=(3, 5), **channels)
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
def test_a_gate_scales_features_but_its_layers_are_excluded(convolutions):
    weights = kernels_of(100, conv1=(3, 6), conv2=(6, 5), head=5)
    weights |= {"reduce": numpy_reference.normal(1, 1, 1, 1, 6, 2)}
    weights |= {"expand": 4 * numpy_reference.normal(2, 1, 1, 1, 2, 6)}
    makers = {"": [("conv2", 0, 5)], "conv2": [("conv1", 0, 6)]}
    network = partial(excited, convolutions=convolutions)
    _, edges = examine(network, weights, makers, 0.4, depth=2, mode="feature")
    inputs = numpy_reference.inputs_of(network, weights)
    inputs["conv2"] = np.maximum(numpy_reference.convolve(CLIP, weights["conv1"]), 0)
    ungated = numpy_reference.answer(weights, inputs, makers, 0.4, depth=2, mode="feature")
    with pytest.raises(AssertionError):
        assert_same_lists(ungated, edges)


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
        maps = np.maximum(numpy_reference.convolve(x, weights[name])[0], 0)[..., layer.kernels]
        np.testing.assert_allclose(layer.maps, np.moveaxis(maps, -1, 0), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(
            pyramid.tube(name), numpy_reference.enlarged(maps.sum(-1)), atol=1e-4
        )


def test_a_scan_over_equal_blocks_is_the_same_as_the_blocks():
    weights = kernels_of(120, stem=(3, 5), b0=(5, 5), b1=(5, 5), b2=(5, 5), head=5)

    def unrolled(xp, conv, x, weights):
        for name in ("stem", "b0", "b1", "b2"):
            x = xp.maximum(conv(name, x), 0)
        return x.mean((1, 2, 3))

    def scanned(weights, clip):
        def block(x, kernel):
            with jax.named_scope("block"):
                return jax.nn.relu(numpy_reference.conv3d(x, kernel)), None

        x = jax.nn.relu(numpy_reference.conv3d(clip, weights["stem"]))
        x, _ = lax.scan(block, x, jnp.stack([weights[name] for name in ("b0", "b1", "b2")]))
        return x.mean((1, 2, 3)) @ weights["head"]

    layers = itertools.pairwise(["", "b2", "b1", "b0", "stem"])
    makers = {layer: [(before, 0, 5)] for layer, before in layers}
    pyramid, edges = examine(unrolled, weights, makers, 0.5, depth=4, mode="feature")
    scan = class_feature_pyramid(scanned, weights, CLIP, 0, 4, 0.5, "feature")
    names = {"": ""}
    for one, other in zip(scan.layers, pyramid.layers, strict=True):
        names[one.name] = other.name
        np.testing.assert_allclose(one.maps, other.maps, rtol=1e-3, atol=1e-4)
    found = numpy_reference.renamed(lists_of(scan), lambda place: (names[place[0]], place[1]))
    assert_same_lists(found, edges)


def roundabout(weights, clip):
    x = clip[:, jnp.array([0, 1, 4])]
    with jax.named_scope("conv1"):
        x = jax.jit(numpy_reference.conv3d)(x, weights["conv1"])
    x = jnp.pad(numpy_reference.positive(x).transpose(0, 4, 1, 2, 3), [(0, 0)] * 3 + [(1, 1)] * 2)
    with jax.named_scope("conv2"):
        conv = partial(
            numpy_reference.conv3d, padding="VALID", dimension_numbers=numpy_reference.FIRST
        )
        x = jax.checkpoint(conv)(x, weights["conv2"].transpose(4, 3, 0, 1, 2))
    x = jax.nn.gelu(x.transpose(0, 2, 3, 4, 1))[:, 1:]
    frames = x.reshape(-1, *x.shape[2:])
    with jax.named_scope("conv3"):
        layout = ("NHWC", "HWIO", "NHWC")
        frames = lax.conv_general_dilated(
            frames, weights["conv3"][0], (1, 1), "SAME", dimension_numbers=layout
        )
    x = jnp.maximum(frames, 0).reshape(1, 2, -1, frames.shape[-1])
    return x.mean(2).mean(1) @ weights["head"]


def test_operations_that_mix_no_channels_are_passed_through():
    weights = {name: x if name == "head" else x[:1] for name, x in WEIGHTS.items()}
    inputs = {
        "conv2": np.maximum(numpy_reference.convolve(CLIP[:, [0, 1, 4]], weights["conv1"]), 0)
    }
    x = jax.nn.gelu(numpy_reference.convolve(inputs["conv2"], weights["conv2"]))
    inputs["conv3"] = np.asarray(x)[:, 1:]
    inputs["head"] = np.maximum(numpy_reference.convolve(inputs["conv3"], weights["conv3"]), 0)
    pyramid = class_feature_pyramid(roundabout, weights, CLIP, 0, 3, 0.4, "feature")
    edges = numpy_reference.answer(weights, inputs, numpy_reference.CHAIN, 0.4, mode="feature")
    numpy_reference.check(pyramid, edges, numpy_reference.CHAIN)
