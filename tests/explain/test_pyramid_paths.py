"""Tests where pyramids end, which layers are joined, and what tiles represent."""

import functools
import itertools
import re

import jax
import numpy as np
import pytest

import vidjax
from tests.explain import numpy_reference
from tests.explain.numpy_reference import CLIP, WEIGHTS, kernels_of, lists_of
from tests.explain.test_class_feature_pyramids import (
    branched,
    grouped,
    projected,
    residual,
    straight,
)
from tests.quickly import quickly
from vidjax.explain.class_feature_pyramids import class_feature_pyramid

RESIDUAL = kernels_of(50, stem=(3, 6), a1=(6, 4), b1=(4, 6), a2=(6, 4), b2=(4, 6), head=6)


# The same function object each time, so that it is traced and compiled once.
model_of = functools.cache(numpy_reference.function_of)


def pyramid_of(network, weights, depth=None, threshold=0.5, mode="feature", **options):
    return class_feature_pyramid(
        model_of(network), weights, CLIP, 0, depth, threshold, mode, **options
    )


@pytest.mark.parametrize(("layer", "depth"), [("conv3", 1), ("conv2", 2), ("conv1", 3)])
def test_a_pyramid_ends_at_the_given_layer(layer, depth):
    found = pyramid_of(straight, WEIGHTS, down_to=layer)
    assert lists_of(found) == lists_of(pyramid_of(straight, WEIGHTS, depth))
    assert found.depth == depth
    assert found.layers[-1].name == layer


def test_only_the_given_layer_of_the_last_level_remains():
    channels = {"left": (5, 3), "right1": (5, 2), "right2": (2, 5), "top": (8, 4), "head": 4}
    weights = kernels_of(90, stem=(3, 5), **channels)
    whole = pyramid_of(branched, weights, 2, 0.3)
    assert {layer.name for layer in whole.layers} == {"top", "left", "right2"}
    for name in ("left", "right2"):
        found = pyramid_of(branched, weights, threshold=0.3, down_to=name)
        assert {layer.name for layer in found.layers} == {"top", name}
        own = {to for edges in lists_of(found).values() for to in edges}
        assert {to for to in own if to[0] != "top"} <= {(name, kernel) for kernel in range(8)}
        assert lists_of(found)["", 0] == lists_of(whole)["", 0]


def ways(lists, place, target):
    """Returns all paths down from a place to a target, each a list of places."""
    if place == target:
        yield [place]
    for child in lists.get(place, {}):
        for way in ways(lists, child, target):
            yield [place, *way]


@pytest.mark.parametrize("mode", ["layer", "feature"])
def test_only_paths_to_the_given_kernels_remain(mode):
    whole = pyramid_of(residual, RESIDUAL, 5, 0.4, mode)
    chosen = whole.layer("b1").kernels.tolist()[:2]
    found = pyramid_of(residual, RESIDUAL, threshold=0.4, mode=mode, down_to=("b1", chosen))
    lists = lists_of(whole)
    steps = {
        step
        for kernel in chosen
        for way in ways(lists, ("", 0), ("b1", kernel))
        for step in itertools.pairwise(way)
    }
    assert {(parent, to) for parent, own in lists_of(found).items() for to in own} == steps
    kept = {(layer.name, int(k)) for layer in found.layers for k in layer.kernels}
    assert kept == {to for _, to in steps}
    assert len(kept) < sum(len(layer.kernels) for layer in whole.layers)
    for layer in found.layers:
        places = np.isin(whole.layer(layer.name).kernels, layer.kernels)
        for name in ("weights", "counts", "maps"):
            wanted = getattr(whole.layer(layer.name), name)[places]
            np.testing.assert_array_equal(getattr(layer, name), wanted)


def test_a_module_name_refers_to_its_last_layer():
    network = vidjax.create_model("r3d_18", num_classes=3, width=4, depths=(1, 1, 0, 0))
    clip = numpy_reference.normal(1, 1, 4, 16, 16, 3)
    variables = quickly(functools.partial(network.init, train=False))(jax.random.key(0), clip)
    found = class_feature_pyramid(network, variables, clip, 0, threshold=0.1, down_to="layer1")
    assert found.layers[-1].name == "layer1/block1/conv2"
    assert found.sums == (("layer2/block1/conv2", "layer2/block1/shortcut/conv"),)


@pytest.mark.parametrize(
    ("down_to", "message"),
    [
        ("conv22", "down_to = 'conv22': layer 'conv22' is unknown: did you mean 'conv2'"),
        ("head", "down_to = 'head': layer 'head' comes after pooling"),
        (("conv3", [5]), "'conv3' has kernels 0 to 4"),
        ((1, [5]), "down_to = (1, [5]): must be the name of a layer, or a pair"),
        (("conv3", [-1]), "must be the name of a layer, or a pair"),
    ],
)
def test_unknown_ends_are_named(down_to, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pyramid_of(straight, WEIGHTS, down_to=down_to)


def test_errors_about_dropped_kernels_list_the_kept_ones():
    kept = set(pyramid_of(straight, WEIGHTS, 1).layer("conv3").kernels.tolist())
    missing = min(set(range(5)) - kept)
    near = ", ".join(map(str, sorted(kept)))
    with pytest.raises(ValueError, match=rf"kernel {missing} .* 0\.5; .* Kept are {near}$"):
        pyramid_of(straight, WEIGHTS, down_to=("conv3", [missing]))
    weights = dict(WEIGHTS, conv3=np.zeros_like(WEIGHTS["conv3"]))
    with pytest.raises(ValueError, match=r"no kernel of 'conv2' was kept at threshold = 0\.5"):
        pyramid_of(straight, weights, down_to="conv2")


def test_depth_and_an_end_exclude_each_other():
    with pytest.raises(ValueError, match="depth = 3 has no effect: down_to = 'conv2' says"):
        pyramid_of(straight, WEIGHTS, 3, down_to="conv2")


def test_layers_are_joined_if_only_their_sum_is_read():
    weights = kernels_of(70, stem=(3, 6), a=(6, 4), b=(4, 5), head=5)
    weights["project"] = numpy_reference.normal(7, 1, 1, 1, 6, 5)
    found = pyramid_of(projected, weights, 2)
    (sums,) = found.sums
    assert set(sums) == {"b", "project"}
    assert found.one_sum("b") == found.one_sum("project") == sums
    assert found.one_sum("a") == ("a",)
    for name in ("kernels", "weights", "counts", "maps"):
        one, other = (getattr(found.layer(own), name) for own in sums)
        np.testing.assert_array_equal(one, other)
    # A block's input is added to its output, but the block's convolution reads it alone.
    assert pyramid_of(residual, RESIDUAL, 5).sums == ()


def test_a_group_is_shown_by_the_sum_of_its_kernels():
    weights = kernels_of(80, conv1=(3, 8), conv2=(4, 8), head=8)
    layer = pyramid_of(grouped, weights, 1, 0.1).layer("conv2")
    pyramid = pyramid_of(grouped, weights, 1, 0.1)
    assert (layer.groups, layer.total) == (2, 8)
    assert layer.group_of.tolist() == [kernel // 4 for kernel in layer.kernels]
    for group in set(layer.group_of.tolist()):
        own = layer.kernels // 4 == group
        wanted = numpy_reference.enlarged(
            np.einsum("n,nthw->thw", layer.counts[own], layer.maps[own])
        )
        np.testing.assert_allclose(pyramid.tube("conv2", group=group), wanted, atol=1e-4)
    with pytest.raises(ValueError, match="the pyramid does not have group 7 of 'conv2': it has 0"):
        pyramid.tube("conv2", group=7)
    back = vidjax.explain.from_json(vidjax.explain.to_json(pyramid)).layer("conv2")
    assert back.group_of.tolist() == layer.group_of.tolist()


def test_a_kernel_is_the_mean_of_its_childrens_maps_in_any_size():
    pyramid = pyramid_of(straight, WEIGHTS, 2)
    place, edges = next(item for item in lists_of(pyramid).items() if item[0][0] == "conv3")
    layer = pyramid.layer("conv2")
    maps = [layer.maps[layer.kernels.tolist().index(kernel)] for _, kernel in edges]
    wanted = numpy_reference.enlarged(np.mean(maps, axis=0))
    np.testing.assert_allclose(pyramid.children_tube(*place), wanted, atol=1e-4)
    assert pyramid.children_tube(*place, size=(3, 4, 5)).shape == (3, 4, 5)
    last = layer.kernels[0]
    with pytest.raises(ValueError, match=f"kernel {last} of 'conv2' relies on no kernel"):
        pyramid.children_tube("conv2", int(last))
