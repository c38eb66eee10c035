"""Tests every map on every network: tiny ones of the zoo and third-party ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.explain.third_party_networks import OTHERS
from tests.test_models import SHALLOW, TINY, drawn
from vidjax.explain import maps, saliency_map
from vidjax.explain.traced_network import trace_network
from vidjax.models.model_list import variants

CLASSES = 5
# Few passes for maps that need many. Random networks have probabilities of 0 or 1 for any input.
FEW = {
    "score_cam": {"top": 3},
    "smooth_grad": {"samples": 2},
    "integrated_gradients": {"steps": 2},
    "occlusion": {"steps": 1, "score": "logit"},
    "rise": {"masks": 9, "score": "logit"},
}
PASSES = {"smooth_grad": 6, "integrated_gradients": 6, "rise": 9, "score_cam": 5}
ONE_PASS = ("eigen_cam", "class_regularization", "class_feature_pyramid")
RECTIFIED = ("grad_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam", "score_cam")
REGULARIZED = "r3d_18 with class_reg"
QUICK = ("c3d", "vit", "nnx", "plain")
# One network of each family comes first.
SLOW = (REGULARIZED, *OTHERS, *TINY, *SHALLOW)
NETWORKS = (
    *QUICK,
    *(pytest.param(x, marks=pytest.mark.slow) for x in dict.fromkeys(SLOW) if x not in QUICK),
)


@functools.cache
def network(name):
    """Returns a model with its variables and a clip."""
    if name in OTHERS:
        return OTHERS[name]()
    more = {"class_reg": {}, "depths": (0, 1, 1, 0)} if name == REGULARIZED else {}
    name = name.split()[0]
    options, shape = tiny(name)
    shape = TINY[name][1] if more else shape
    model = vidjax.create_model(name, num_classes=CLASSES, **{**options, **more})
    clip = jax.random.normal(jax.random.key(3), (1, *shape, 3))
    return model, drawn(model, clip), clip


def tiny(name):
    """Returns options that make a network small, and a clip size that leaves it enough cells."""
    frames = 1 if vidjax.model_card(name).clip[0] == 1 else 8
    if name in ("mtnet_s", "cifar_resnet_110"):
        return TINY[name]
    if name in TINY:
        return TINY[name][0], (frames, 64, 64)
    own = variants()[name]
    small = {"width": 16, "depths": (1,) * len(own.depths or ()), "neck": 16, "dropout": 0.0}
    return {key: small[key] for key in small if key in own.options}, (frames, 64, 64)


def draw(name, map_name, label):
    return saliency_map(*network(name), label, map_name, **FEW.get(map_name, {}))


def logits_of(name):
    model, variables, clip = network(name)
    if variables is None:
        model.eval()
        return model(clip)
    told = {"train": False} if name not in OTHERS or name == "c3d" else {}
    run = functools.partial(model.apply, **told) if hasattr(model, "apply") else model
    return jax.jit(run)(variables, clip)


# Maps vary fastest, so that each network is read and compiled once.
@pytest.mark.parametrize("map_name", maps.known())
@pytest.mark.parametrize("name", NETWORKS)
def test_every_map_explains_every_network(name, map_name):
    clip = network(name)[2]
    if map_name == "class_regularization" and name != REGULARIZED:
        with pytest.raises(ValueError, match="cannot be drawn of this network: it needs Class"):
            draw(name, map_name, 0)
        return
    found = draw(name, map_name, 0)
    assert found.volume.shape == clip.shape[1:4]
    assert found.volume.dtype == np.float32
    assert all(np.isfinite(own).all() for own in found.cells)
    assert found.seconds > 0
    passes = 1 if map_name in ONE_PASS else PASSES.get(map_name, 3)
    assert found.passes == passes or (map_name == "occlusion" and found.passes > 3)
    if map_name in RECTIFIED:
        # A class without positive weights has an empty map, but not all classes do.
        assert all(own.min() >= 0 for own in found.cells)
        volumes = (draw(name, map_name, label).volume for label in range(len(found.logits)))
        assert any(volume.any() for volume in volumes)
    else:
        assert (found.volume.min(), found.volume.max()) == (0, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_the_network_itself(name):
    found = draw(name, "eigen_cam", None)
    expected = np.asarray(logits_of(name))[0]
    np.testing.assert_allclose(found.logits, expected, rtol=1e-3, atol=1e-4)
    assert found.class_index == expected.argmax()


@pytest.mark.parametrize(
    "name", ["vit", "c3d", *(pytest.param(own, marks=pytest.mark.slow) for own in TINY)]
)
def test_gradients_are_those_of_the_network_itself(name):
    model, variables, clip = network(name)
    told = {} if name == "vit" else {"train": False}

    def logit(clip):
        return model.apply(variables, clip, **told)[0, 1]

    expected = jnp.abs(jax.jit(jax.grad(logit))(jnp.asarray(clip))[0]).max(-1)
    found = saliency_map(model, variables, clip, 1, "gradient").cells[0]
    if name == "evanet_2":
        # In float32 a few of its features are just above or below 0, depending on how XLA
        # compiles the program. With XLA's default options the difference is 6e-7 of the largest
        # value, in float64 there is none.
        assert np.linalg.norm(found - expected) < 0.15 * np.linalg.norm(expected)
        return
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3 * float(expected.max()))


def test_maps_state_whether_they_support_a_network():
    own = maps.named("class_regularization")
    assert own.fits(trace_network(*network(REGULARIZED)))
    assert not own.fits(trace_network(*network("plain")))
    assert maps.named("cam").fits(trace_network(*network("plain")))
