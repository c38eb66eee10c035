"""Tests stage tubes against the equation, with Class Regularization that changes nothing."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from scipy import ndimage

import vidjax
from tests.quickly import quickly
from vidjax.explain import saliency_map
from vidjax.explain.regularized_tubes import (
    name_of,
    regularized_pass,
    regularized_places,
    stage_tubes,
)
from vidjax.explain.traced_network import trace_network
from vidjax.methods.class_regularization import ClassRegularization

LABEL = 2


@pytest.fixture(scope="module")
def network():
    # With an affection rate of 1, a stage's features are its sown output.
    model = vidjax.create_model(
        "r3d_18", num_classes=4, width=8, depths=(0, 0, 1, 1), class_reg={"affection": (1, 1, 1, 1)}
    )
    clip = jax.random.normal(jax.random.key(0), (1, 4, 32, 32, 3))
    init = quickly(lambda key: model.init(key, clip, train=False))
    return model, init(jax.random.key(1)), clip


def test_each_stage_is_weighted_by_the_mapped_row_of_its_class(network):
    model, variables, clip = network
    found = stage_tubes(*network, LABEL)
    assert list(found) == [f"layer{number}/after_stage" for number in (3, 4)]
    apply = quickly(lambda v, x: model.apply(v, x, train=False, mutable=["intermediates"]))
    _, state = apply(variables, clip)
    params = jax.tree.map(np.asarray, variables["params"])
    for number, tube in enumerate(found.values(), start=3):
        mapping = params[f"layer{number}"]["after_stage"]["class_reg"]["kernel"]
        row = np.maximum(params["head"]["kernel"][:, LABEL] @ mapping, 0)
        (features,) = state["intermediates"][f"stage{number}"]
        weighted = np.asarray(features)[0] * row
        low, high = weighted.min((0, 1, 2)), weighted.max((0, 1, 2))
        spread = np.where(high > low, high - low, 1)
        expected = (((weighted - low) / spread) ** 2).sum(-1)
        np.testing.assert_allclose(tube.low[0], expected, rtol=1e-3, atol=1e-4)
        factors = np.divide(clip.shape[1:4], expected.shape)
        large = ndimage.zoom(expected, factors, order=3)
        large = (large - large.min()) / (large.max() - large.min())
        np.testing.assert_allclose(tube.volume, large, atol=2e-3)
        assert tube.class_index == LABEL


def test_one_of_several_outputs_can_be_chosen(network):
    model, variables, clip = network

    def two(weights, clips):
        logits = model.apply(weights, clips, train=False)
        return {"noun": -logits, "verb": logits}

    found = stage_tubes(two, variables, clip, LABEL, output="verb")
    for own, other in zip(
        found.values(), stage_tubes(model, variables, clip, LABEL).values(), strict=True
    ):
        np.testing.assert_allclose(own.low[0], other.low[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(
        ValueError, match="clip_input = 1 has no effect on a network with one input"
    ):
        stage_tubes(model, variables, clip, LABEL, clip_input=1)


def test_other_networks_have_no_stage_tubes(network):
    model = vidjax.create_model("r3d_18", num_classes=4, width=8, depths=(0, 0, 0, 1))
    clip = network[2]
    variables = quickly(lambda key: model.init(key, clip, train=False))(jax.random.key(1))
    assert stage_tubes(model, variables, clip) == {}
    with pytest.raises(ValueError, match="class_index = 4: must be one whole number from 0 to 3"):
        stage_tubes(model, variables, clip, 4)


@pytest.mark.parametrize(("layer", "place"), [(None, 4), ("layer4", 4), ("layer3", 3)])
def test_a_stage_s_tube_is_a_map(network, layer, place):
    tube = stage_tubes(*network, LABEL, tau=0.3)[f"layer{place}/after_stage"]
    found = saliency_map(*network, LABEL, "class_regularization", layer, tau=0.3)
    np.testing.assert_array_equal(found.volume, tube.volume)
    assert found.passes == 1
    with pytest.raises(ValueError, match="layer 'layer5' has no Class Regularization: did you"):
        saliency_map(*network, LABEL, "class_regularization", "layer5")


@pytest.mark.parametrize(
    "settings",
    [{"variant": "icip", "after": "block"}, {"match": "max", "bias": True}, {"level": "batch"}],
)
def test_rows_equal_those_of_every_variant(network, settings):
    """Compares with the rows that the module itself computes."""
    clip = network[2]
    model = vidjax.create_model(
        "r3d_18", num_classes=4, width=8, depths=(0, 0, 0, 2), class_reg=settings
    )
    variables = quickly(lambda key: model.init(key, clip, train=False))(jax.random.key(1))
    places = []

    def asked(variables, clip):
        told, rows = [], []

        def intercept(call, args, kwargs, context):
            result, module = call(*args, **kwargs), context.module
            if isinstance(module, ClassRegularization) and context.method_name == "__call__":
                places.append("/".join(module.path))
                told.append((args[0][0], rows.pop()))
            elif isinstance(module.parent, ClassRegularization):
                rows.append(nn.relu(result) if module.parent.relu else result)
            return result

        with nn.intercept_methods(intercept):
            model.apply(variables, clip, train=False)
        return told

    expected = quickly(asked)(variables, clip)
    read = trace_network(model, variables, clip)
    assert [place.name for place in regularized_places(read)] == places
    _, found = regularized_pass(read)(variables, clip)
    for (features, rows), (maps, own) in zip(expected, found, strict=True):
        np.testing.assert_allclose(np.moveaxis(maps, 0, -1), features, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(own, rows, rtol=1e-4, atol=1e-5)


def test_short_names_are_unique():
    names = {
        "layer1/after_stage": "layer1",
        "layer1/after_block2": "layer1 block2",
        "layer1/after_stage_2": "layer1 stage_2",
        "slow_layer4/after_stage": "slow_layer4",
        "after_stage2": "stage2",
        "after_block2_1": "block2_1",
    }
    assert {place: name_of(place) for place in names} == names
