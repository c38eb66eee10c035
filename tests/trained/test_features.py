"""Tests features of every network against NumPy means of what the networks sow."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.test_models import FAMILIES, ONES, TINY, drawn, stages
from tests.trained.made import NAME, OPTIONS, write_checkpoint
from vidjax.layers.lowering import force_lowering
from vidjax.models.model_list import variants
from vidjax.trained.features import layers
from vidjax.trained.open_weights import open_weights

# One network per family; tests/test_models.py covers the sown values of all networks.
OTHERS = [pytest.param(n, marks=pytest.mark.slow) for n in vidjax.list_models() if n not in TINY]
RUN = ("r3d_18", *(pytest.param(n, marks=pytest.mark.slow) for n in ("slowfast_50", "i3d")))


def shallow(name):
    """Returns a network of one block per stage, its clip and the shapes of its variables."""
    options, clip = TINY.get(name, ({}, vidjax.model_card(name).clip))
    if "depths" in variants()[name].options and not options:
        options = {"depths": (2, 2, 2, 1) if name.startswith("blvnet") else ONES}
    model = vidjax.create_model(name, num_classes=3, **options)
    clips = jax.ShapeDtypeStruct((2, *clip, 3), jnp.float32)
    init = functools.partial(model.init, train=False)
    return model, clips, jax.eval_shape(init, jax.random.key(0), clips)


@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_every_network_has_an_embedding_and_named_stages(name):
    with force_lowering("lax"):
        model, clips, variables = shallow(name)
        found = layers(model, variables, clips)
    expected = stages(name)
    assert {layer for layer in found if not layer.startswith("fast_")} == expected
    in_order = [layer for layer in found if not layer.startswith("fast_")]
    assert in_order == [*sorted(expected - {"pre_logits"}, key=lambda x: (x != "stem", x)), "pre_logits"]  # fmt: skip  # noqa: E501
    # What the classifier gets has as many numbers as its kernel has rows.
    width = variables["params"]["head"]["kernel"].shape[0]
    assert found["pre_logits"] == (2, width)
    assert all(len(shape) == 5 for layer, shape in found.items() if layer != "pre_logits")


@pytest.mark.parametrize("name", RUN)
def test_features_are_means_of_sown_values_and_the_embedding_is_classified(name):
    options, clip = TINY[name]
    model = vidjax.create_model(name, num_classes=3, **options)
    clips = np.random.default_rng(0).normal(size=(2, *clip, 3)).astype(np.float32)
    variables = drawn(model, jnp.asarray(clips))
    looked_at = ("fast_stage1", "pre_logits") if "slowfast" in name else ("stage2", "pre_logits")

    @jax.jit
    def run(variables, clips):
        logits, state = model.apply(variables, clips, train=False, mutable=["intermediates"])
        pooled = {layer: vidjax.features(model, variables, clips, layer) for layer in looked_at}
        whole = vidjax.features(model, variables, clips, "stage2", pooled=False)
        return logits, state["intermediates"], pooled, whole

    logits, sown, pooled, whole = jax.tree.map(np.asarray, run(variables, clips))
    for layer in looked_at:
        (value,) = sown[layer]
        assert pooled[layer].dtype == np.float32
        mean = value if value.ndim == 2 else value.mean(axis=(1, 2, 3), dtype=np.float64)
        np.testing.assert_allclose(pooled[layer], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(whole, sown["stage2"][0])
    head = variables["params"]["head"]
    np.testing.assert_allclose(
        pooled["pre_logits"] @ head["kernel"] + head["bias"], logits, rtol=1e-4, atol=1e-5
    )


def test_only_the_part_before_a_layer_is_computed():
    model = vidjax.create_model("r3d_18", num_classes=3, width=4, depths=ONES)
    clips = jnp.zeros((1, 4, 32, 32, 3))
    variables = drawn(model, clips)

    def flops(layer):
        run = jax.jit(lambda v, x: vidjax.features(model, v, x, layer))
        return run.lower(variables, clips).compile().cost_analysis()["flops"]

    assert flops("stem") < flops("pre_logits")


def test_an_unknown_layer_lists_the_nearest_names_first():
    model, clips, variables = shallow("r3d_18")
    with pytest.raises(ValueError, match="layer 'stag4' is unknown: did you mean 'stage4'.*stem"):
        jax.eval_shape(lambda v, x: vidjax.features(model, v, x, "stag4"), variables, clips)


def test_a_trained_network_takes_uint8_crops_and_compiles_once(tmp_path, monkeypatch):
    file = write_checkpoint(tmp_path / "made.safetensors")
    trained = open_weights(f"{NAME}:{file}", OPTIONS)
    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 16, 16, 3), np.uint8)
    found = trained.features(crops)
    assert (found.shape, found.dtype) == ((2, 3, 4), jnp.float32)
    seen = trained.preprocessing
    for video, crop in np.ndindex(2, 3):
        clip = (crops[video, crop][None] / 255 - np.array(seen.mean)) / np.array(seen.std)
        alone = vidjax.features(trained.model, trained.variables, clip.astype(np.float32))
        np.testing.assert_allclose(found[video, crop], alone[0], rtol=1e-4, atol=1e-5)
    assert trained.features(crops, "stage1", pooled=False).shape[:2] == (2, 3)
    # Nothing is traced again.
    monkeypatch.setattr("vidjax.trained.trained_network.features", None)
    np.testing.assert_array_equal(trained.features(crops), found)
