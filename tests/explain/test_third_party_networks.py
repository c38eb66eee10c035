"""Tests networks whose head is not a mean and a dense layer, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.explain.numpy_reference import (
    assert_same_lists,
    conv3d,
    convolve,
    keep,
    lists_of,
    normal,
)
from tests.explain.third_party_networks import CLASSES, NNX, OTHERS, ViT, _linen, clip_of
from vidjax.explain import class_feature_pyramid, saliency_map, saliency_tube
from vidjax.explain.dataflow import UnknownPrimitiveError
from vidjax.explain.layer_lookup import features_at
from vidjax.explain.traced_network import trace_network


def assert_close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def cam_of(network, class_index):
    tube = saliency_tube(*network, class_index, mode="cam")
    assert len(tube.low) == 1
    return tube.low[0]


def pooled_by_two(x, axes):
    for axis in axes:
        shape = [*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :]]
        x = x.reshape(shape).max(axis + 1)
    return x


@pytest.fixture(scope="module")
def c3d():
    """Returns the network, the input [1, 2, 4, 4, 6] of its first dense layer, and gradients."""
    network = OTHERS["c3d"]()
    params = jax.tree.map(np.float64, network[1]["params"])
    relu = lambda x: np.maximum(x, 0)  # noqa: E731
    x = relu(convolve(network[2], params["conv1"]["kernel"]) + params["conv1"]["bias"])
    x = relu(
        convolve(pooled_by_two(x, (2, 3)), params["conv2"]["kernel"]) + params["conv2"]["bias"]
    )
    features = pooled_by_two(x, (1, 2, 3))
    fc6, fc7, fc8 = (params[name]["kernel"] for name in ("fc6", "fc7", "fc8"))
    six = relu(features.reshape(-1) @ fc6)
    seven = relu(six @ fc7)
    slopes = ((fc8 * (seven > 0)[:, None]).T @ fc7.T * (six > 0)) @ fc6.T
    return network, params, features, slopes.reshape(CLASSES, *features.shape[1:]), (six, seven)


def test_c3d_is_explained_at_the_input_of_its_dense_layers(c3d):
    network, _, features, slopes, _ = c3d
    for label in range(CLASSES):
        assert_close(cam_of(network, label), features[0] @ slopes[label].sum((0, 1, 2)))


def test_dense_layers_of_c3d_lead_to_kernels_from_any_location(c3d):
    network, params, features, _, (six, seven) = c3d
    found = lists_of(class_feature_pyramid(*network, 1, 3, 0.5, "feature", top=9))
    rows = params["fc8"]["kernel"][:, 1] * seven
    wanted = {("", 1): {("fc7", k): w for k, w in keep(rows, 0.5, 9).items()}}
    for name, kernel in list(wanted["", 1]):
        lists = keep(params["fc7"]["kernel"][:, kernel] * six, 0.5, 9)
        wanted[name, kernel] = {("fc6", k): w for k, w in lists.items()}
    for _, kernel in {place for own in list(wanted.values())[1:] for place in own}:
        places = keep(params["fc6"]["kernel"][:, kernel] * features.reshape(-1), 0.5, 9)
        own = {}
        for place, weight in places.items():
            own["conv2", place % 6] = max(weight, own.get(("conv2", place % 6), 0))
        wanted["fc6", kernel] = own
    assert_same_lists(found, wanted)
    assert any(len(own) > 1 for (name, _), own in wanted.items() if name == "fc6")


def last_convolution(name):
    network = OTHERS[name]()
    params = jax.tree.map(np.float64, network[1]["params"])
    model, variables, clip = network
    _, seen = model.apply(variables, clip, capture_intermediates=True)
    features = np.maximum(np.float64(seen["intermediates"]["conv2"]["__call__"][0]), 0)
    return network, features[0], params["head"]["kernel"].reshape(6, CLASSES)


@pytest.mark.parametrize("name", ["window_pooled", "convolutional_head"])
def test_full_window_pooling_and_averaged_logits_are_means(name):
    network, features, rows = last_convolution(name)
    tube = saliency_tube(*network, 2, mode="cam")
    assert_close(tube.low[0], features @ rows[:, 2])
    assert_close(tube.logits, _head(network, features.mean((0, 1, 2)) @ rows))


def _head(network, logits):
    return logits + np.asarray(network[1]["params"]["head"]["bias"])


def test_vit_tokens_are_placed_at_their_patches():
    network = OTHERS["vit"]()
    model, variables, clip = network
    _, seen = model.apply(variables, clip, capture_intermediates=True)
    tokens = np.asarray(seen["intermediates"]["norm"]["__call__"][0])
    rows = np.asarray(variables["params"]["head"]["kernel"])
    # Tokens are in the order of [t, h, w] = [2, 4, 4].
    assert_close(cam_of(network, 0), tokens.reshape(2, 4, 4, 8) @ rows[:, 0])
    layer = class_feature_pyramid(*network, 0, 2, 0.3).layer("fall2")
    assert_close(layer.maps, tokens.reshape(2, 4, 4, 8).transpose(3, 0, 1, 2)[layer.kernels])


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 3, 1, 2, 4), (0, 2, 3, 1, 4)])
@pytest.mark.parametrize("dense", [False, True])
def test_tokens_in_any_order_are_placed_in_the_clip(order, dense):
    def tokens(weights, clip):
        if dense:
            x = clip.reshape(1, 2, 2, 4, 4, 4, 4, 3).transpose(0, 1, 3, 5, 2, 4, 6, 7)
            x = x.reshape(1, 2, 4, 4, -1).transpose(order).reshape(1, 32, -1)
            return x @ weights["patch"].reshape(-1, 5)
        numbers = ("NDHWC", "DHWIO", "NDHWC")
        x = jax.lax.conv_general_dilated(
            clip, weights["patch"], (2, 4, 4), "VALID", dimension_numbers=numbers
        )
        return x.transpose(order).reshape(1, 32, 5)

    def model(weights, clip):
        return jnp.tanh(tokens(weights, clip)).mean(1) @ weights["head"]

    weights = {"patch": normal(1, 2, 4, 4, 3, 5), "head": normal(2, 5, CLASSES)}
    clip = clip_of()
    patches = clip[0].reshape(2, 2, 4, 4, 4, 4, 3).transpose(0, 2, 4, 1, 3, 5, 6)
    features = np.tanh(patches.reshape(2, 4, 4, -1) @ weights["patch"].reshape(-1, 5))
    assert_close(cam_of((model, weights, clip), 1), features @ weights["head"][:, 1])


def test_a_class_token_is_refused_and_excluded_in_other_layers():
    network = _linen(ViT(class_token=True))
    with pytest.raises(ValueError, match="the classifier 'head' pools no features"):
        saliency_tube(*network)
    graph = trace_network(*network).graph
    (features,) = features_at(graph, "rise1")
    assert features.value.shape == (1, 33, 16)
    array = np.arange(33 * 16).reshape(1, 33, 16)
    assert (features.laid(array) == array[0, 1:].T.reshape(16, 2, 4, 4)).all()


def test_rows_at_unknown_locations_are_refused():
    def sorted_rows(weights, clip):
        x = jax.lax.conv_general_dilated(
            clip, weights["conv"], (2, 4, 4), "VALID", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
        )
        return jnp.sort(x.reshape(1, 32, 5), axis=1).mean(1) @ weights["head"]

    weights = {"conv": normal(1, 2, 4, 4, 3, 5), "head": normal(2, 5, CLASSES)}
    with pytest.raises(ValueError, match="pools no features"):
        saliency_tube(sorted_rows, weights, clip_of())


def test_an_nnx_module_is_explained_in_evaluation_mode_and_restored():
    module = NNX(nnx.Rngs(3))
    for seed in range(3):
        module(5 + 2 * clip_of(seed))  # its norms learn means and deviations other than 0 and 1
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)))
    found = saliency_tube(module, None, clip_of(), 1, mode="cam")
    after = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    assert not module.norm1.use_running_average

    def relu(x, norm):
        scale = norm.scale.get_value() / jnp.sqrt(norm.var.get_value() + norm.epsilon)
        return np.maximum((x - norm.mean.get_value()) * scale + norm.bias.get_value(), 0)

    features = relu(module.conv2(relu(module.conv1(clip_of()), module.norm1)), module.norm2)[0]
    assert_close(found.low[0], features @ module.head.kernel.get_value()[:, 1])
    layers = trace_network(module, None, clip_of()).graph.levels
    assert [layer.name for layer in layers] == ["head", "conv2", "conv1"]


def spectral(weights, clip):
    x = conv3d(clip, weights["first"])
    with jax.named_scope("spectrum"):
        x = jnp.fft.fft(x, axis=1).real
    x = conv3d(jnp.maximum(conv3d(x, weights["middle"]), 0), weights["last"])
    return x.mean((1, 2, 3)) @ weights["head"]


def test_a_network_is_read_only_to_the_given_depth():
    shapes = {"first": (3, 3, 3, 3, 4), "middle": (1, 3, 3, 4, 5), "last": (1, 1, 1, 5, 6)}
    weights = {name: normal(9, *shape) for name, shape in shapes.items()}
    network = spectral, weights | {"head": normal(8, 6, CLASSES)}, clip_of()
    assert saliency_tube(*network).volume.shape == (4, 16, 16)
    assert saliency_map(*network, layer="middle").layer == "middle"
    assert [own.name for own in class_feature_pyramid(*network, 0, 2).layers] == ["last", "middle"]
    for call in (
        lambda: class_feature_pyramid(*network, 0, 3),
        lambda: saliency_map(*network, layer="first"),
        lambda: trace_network(*network).graph.links,
    ):
        with pytest.raises(UnknownPrimitiveError, match=r"'fft' in layer 'spectrum'"):
            call()
