"""Tests maps of features against the papers' equations, with gradients computed in NumPy."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from tests.explain.numpy_gradients import POSITIVE, WEIGHTS, both_ways, network, units
from tests.explain.numpy_reference import (
    CLIP,
    SIZE,
    convolve,
    enlarged,
    function_of,
    kernels_of,
    normal,
)
from vidjax.explain import saliency_map

LABEL = 1
assert_close = partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-6)


def rectified(values):
    return np.maximum(values, 0)


# Each takes features and gradients [T', H', W', C] and the logit, and loops over places.
def cam(a, g, logit):
    return np.einsum("thwk,k->thw", a, g.sum((0, 1, 2)))


def grad_cam(a, g, logit):
    return rectified(np.einsum("thwk,k->thw", a, g.mean((0, 1, 2))))


def grad_cam_plus_plus(a, g, logit):
    """Uses the derivatives of the exponential of the logit (eq. 19)."""
    first, second, third = (np.exp(logit) * g**power for power in (1, 2, 3))
    below = 2 * second + np.einsum("thwk,abck->abck", a, third)
    alpha = np.where(below == 0, 0, second / np.where(below == 0, 1, below))
    return rectified(np.einsum("thwk,abck->thw", a, alpha * rectified(first)))


def hires_cam(a, g, logit):
    return np.einsum("thwk,thwk->thw", a, g)


def xgrad_cam(a, g, logit):
    weights = [
        (a[..., k] / a[..., k].sum() * g[..., k]).sum() if a[..., k].any() else 0
        for k in range(a.shape[-1])
    ]
    return rectified(a @ np.array(weights))


def layer_cam(a, g, logit):
    return rectified(np.einsum("thwk,thwk->thw", rectified(g), a))


def eigen_cam(a, g, logit):
    left, values, _ = np.linalg.svd(a.reshape(-1, a.shape[-1]), full_matrices=False)
    return np.abs(left[:, 0] * values[0]).reshape(a.shape[:3])


EQUATIONS = {
    own.__name__: own
    for own in (
        cam,
        grad_cam,
        grad_cam_plus_plus,
        hires_cam,
        xgrad_cam,
        layer_cam,
        eigen_cam,
    )
}


@pytest.fixture(scope="module")
def by_hand():
    return both_ways(WEIGHTS, CLIP, LABEL)


@pytest.mark.parametrize("layer", ["first", "last", None])
@pytest.mark.parametrize("name", EQUATIONS)
def test_maps_equal_their_papers_equations_at_any_layer(by_hand, name, layer):
    logits, features, gradients = by_hand
    place = layer or "last"
    expected = EQUATIONS[name](features[place], gradients[place], logits[LABEL])
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, name, layer)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found.volume, units(expected), atol=1e-4)
    if name != "grad_cam_plus_plus":
        assert_close(found.cells[0], expected, atol=1e-5 * np.abs(expected).max())
    assert_close(found.logits, logits)
    assert found.passes == (1 if name == "eigen_cam" else 3)


def pathways(xp, conv, x):
    return xp.maximum(conv("slow", x[:, ::3, ::2]), 0), xp.maximum(conv("fast", x), 0)


def pooled(xp, conv, x, weights):
    return xp.concatenate([own.mean((1, 2, 3)) for own in pathways(xp, conv, x)], -1)


TWO = function_of(pooled)


@pytest.mark.parametrize("name", EQUATIONS)
def test_features_of_several_sizes_are_enlarged_and_added(name):
    weights = kernels_of(110, slow=(3, 5), fast=(3, 3), head=8)
    features = pathways(np, lambda name, x: convolve(x, weights[name]), CLIP)
    logit = 0.5
    rows = np.split(weights["head"][:, LABEL], [5])
    cells = [
        EQUATIONS[name](a[0], np.broadcast_to(row / a[..., 0].size, a[0].shape), logit)
        for a, row in zip(features, rows, strict=True)
    ]
    if name == "grad_cam_plus_plus":
        # Without the factor common to all weights.
        cells = [own / np.exp(logit) for own in cells]
    found = saliency_map(TWO, weights, CLIP, LABEL, name)
    assert sorted(own.shape for own in found.cells) == sorted(own.shape for own in cells)
    np.testing.assert_allclose(found.volume, enlarged(*cells), atol=2e-4)


def test_over_pooled_features_all_equal_class_activation_maps(by_hand):
    """All gradients are equal: the classifier's row divided by the number of places."""
    count = np.prod(SIZE)
    plain, *others = (
        saliency_map(network, WEIGHTS, CLIP, LABEL, name).cells[0]
        for name in ("cam", "hires_cam", "grad_cam", "xgrad_cam")
    )
    assert plain.min() < 0
    assert_close(others[0] * count, plain, atol=1e-5)
    assert_close(others[1] * count, rectified(plain), atol=1e-5)
    assert_close(others[2] * count, rectified(plain), atol=1e-5)
    positive = [
        saliency_map(network, POSITIVE, CLIP, LABEL, name).cells[0] for name in ("cam", "layer_cam")
    ]
    assert_close(positive[1] * count, positive[0])


def test_weights_of_grad_cam_plus_plus_have_a_closed_form_over_pooled_features(by_hand):
    _, features, gradients = by_hand
    a, g = features["last"], gradients["last"][0, 0, 0]
    weights = a[..., 0].size * rectified(g) / (2 + a.sum((0, 1, 2)) * g)
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "grad_cam_plus_plus")
    assert_close(found.cells[0], rectified(a @ weights))


@pytest.mark.parametrize("layer", ["first", "last"])
def test_maps_of_a_homogeneous_network_add_up_to_the_logit(layer):
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "hires_cam", layer)
    assert_close(found.cells[0].sum(), found.logits[LABEL])
    for name in ("hires_cam", "xgrad_cam"):
        found = saliency_map(network, POSITIVE, np.abs(CLIP), LABEL, name, layer)
        assert_close(found.cells[0].sum(), found.logits[LABEL])


def test_eigen_cam_is_the_same_for_every_class_and_with_fewer_places_than_channels():
    first, second = (saliency_map(network, WEIGHTS, CLIP, own, "eigen_cam") for own in (0, 1))
    np.testing.assert_array_equal(first.volume, second.volume)
    small = CLIP[:, :1, :2, :2]
    _, features, _ = both_ways(WEIGHTS, small, 0)
    assert features["last"][..., 0].size < features["last"].shape[-1]
    found = saliency_map(network, WEIGHTS, small, 0, "eigen_cam")
    assert_close(found.cells[0], eigen_cam(features["last"], None, 0))
    assert found.cells[0].min() >= 0


def dead(weights, clip):
    return network(weights, -jnp.abs(clip))


@pytest.mark.parametrize("name", EQUATIONS)
def test_features_without_any_activation_give_an_empty_map(name):
    found = saliency_map(dead, POSITIVE, normal(1, 1, *SIZE, 3), LABEL, name)
    assert not found.volume.any()
    assert np.isfinite(found.cells[0]).all()
