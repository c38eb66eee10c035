"""Tests explanations against the golden file, with its network in plain JAX."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vidjax.explain.back_step import CODE, PAPER, Keep, Rules
from vidjax.explain.class_feature_pyramids import class_feature_pyramid
from vidjax.explain.saliency_tubes import saliency_tube


@pytest.fixture(scope="module")
def data(shared):
    return dict(np.load(shared / "golden/tubes_backstep.npz"))


def network(weights, clip):
    """Builds three convolutions whose strides follow from the sizes of the activations."""
    x = clip.transpose(0, 4, 1, 2, 3)
    for number in (1, 2, 3):
        kernel = weights[f"w{number}"]
        groups = x.shape[1] // kernel.shape[1]
        strides = weights["strides"][number - 1]
        pads = [(size // 2, size // 2) for size in kernel.shape[2:]]
        with jax.named_scope(f"conv{number}"):
            x = lax.conv_general_dilated(
                x,
                kernel,
                strides,
                pads,
                feature_group_count=groups,
                dimension_numbers=("NCDHW", "OIDHW", "NCDHW"),
            )
        x = jnp.maximum(x, 0)
    return x.mean((2, 3, 4)) @ weights["fc_w"].T + weights["fc_b"]


@pytest.fixture(scope="module")
def case(data):
    """Returns a function with its variables and clip."""
    sizes = [data[name].shape[2:] for name in ("x", "a1", "a2", "a3")]
    strides = [
        tuple(before // after for before, after in zip(*pair, strict=True))
        for pair in itertools.pairwise(sizes)
    ]
    weights = {name: data[name] for name in ("w1", "w2", "w3", "fc_w", "fc_b")}

    def apply(variables, clip):
        return network(variables | {"strides": strides}, clip)

    clip = data["x"].transpose(0, 2, 3, 4, 1)
    np.testing.assert_allclose(apply(weights, clip), data["pred"], rtol=1e-4, atol=1e-6)
    return apply, weights, clip


def rows(pyramid, layer):
    """Returns edges from the kernels of a layer in the format of the file."""
    pairs = [
        (number, to)
        for (name, number), edges in pyramid.edges.items()
        if name == layer
        for (_, to), _ in edges
    ]
    return sorted(pairs)


def in_file(pairs):
    return sorted(map(tuple, pairs.tolist()))


def test_the_class_level_equals_the_golden_one_in_both_forms(data, case):
    theta, label = float(data["theta"]), int(data["label"])
    for rules, name in ((PAPER, "paper"), (CODE, "ref")):
        pyramid = class_feature_pyramid(*case, label, 1, theta, rules=rules)
        assert pyramid.layers[0].kernels.tolist() == data[f"class_sel_{name}"].tolist()


@pytest.mark.parametrize("name", ["paper", "ref"])
def test_back_steps_from_the_codes_class_level_equal_golden_ones(data, case, name):
    rules = CODE if name == "ref" else Rules("weights", grouped="inflate")
    theta, label = float(data["theta"]), int(data["label"])
    pyramid = class_feature_pyramid(*case, label, 3, theta, "feature", rules=rules)
    assert [layer.name for layer in pyramid.layers] == ["conv3", "conv2", "conv1"]
    assert rows(pyramid, "conv3") == in_file(data[f"edges3_{name}"])
    assert rows(pyramid, "conv2") == in_file(data[f"edges2_{name}"])


def test_normalised_products_are_the_golden_ones(data):
    for number, before in ((3, "a2"), (2, "a1")):
        kernels = data[f"w{number}"].mean((2, 3, 4))
        pooled = data[before].mean((0, 2, 3, 4))
        products = PAPER.products(kernels, pooled, len(pooled) // kernels.shape[1])
        values = np.stack([PAPER.values(own) for own in products])
        np.testing.assert_allclose(values, data[f"u{number}"], rtol=1e-4, atol=1e-5)


def test_inputs_of_several_kernels_are_numbered_globally(data):
    """The thesis code numbers each kernel's inputs from 0; vidjax numbers all of them."""
    pooled, start = data["branch_a"].mean((0, 2, 3, 4)), 0
    found, local = [], []
    first = 0
    for name in ("branch_k0", "branch_k1"):
        kernels = data[name].mean((2, 3, 4))
        own = pooled[start : start + kernels.shape[1]]
        for number, products in enumerate(Rules(divide=True).products(kernels, own)):
            kept = Keep(0.5)(Rules(divide=True).values(products))
            local += [(first + number, channel) for channel in kept]
            found += [(first + number, start + channel) for channel in kept]
        start, first = start + kernels.shape[1], first + len(kernels)
    assert sorted(local) == in_file(data["branch_edges_ref"])
    assert max(channel for _, channel in found) < len(pooled)


def test_tubes_are_the_golden_ones(data, case):
    label = int(data["label"])
    cam = saliency_tube(*case, label, mode="cam")
    np.testing.assert_allclose(cam.low[0], data["cam_low"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cam.volume, data["tube_ref"], atol=1e-4)
    for name in data:
        if name.startswith("tube_thesis_low_tau"):
            tau = name.removeprefix("tube_thesis_low_tau")
            tube = saliency_tube(*case, label, tau=int(tau) / 100 or None)
            np.testing.assert_allclose(tube.low[0], data[name], rtol=1e-3, atol=1e-5)
            if f"tube_thesis_keep_tau{tau}" in data:
                assert tube.kept[0].tolist() == data[f"tube_thesis_keep_tau{tau}"].tolist()
    tube = saliency_tube(*case, label)
    np.testing.assert_allclose(tube.volume, data["tube_thesis_zoom_tau0"], atol=1e-4)
