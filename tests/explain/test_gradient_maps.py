"""Tests maps of gradients against gradients computed in NumPy."""

import numpy as np
import pytest

from tests.explain.numpy_gradients import WEIGHTS, both_ways, linear, network
from tests.explain.numpy_reference import CLIP, SIZE, normal
from vidjax.explain import saliency_map

LABEL = 1
LINEAR = {
    "first": normal(20, 3, 3, 3, 3, 4),
    "frames": np.float32([0, 1, 0, 0, 2]),
    "head": normal(21, 4, 3),
}


@pytest.mark.parametrize("layer", ["first", None])
def test_the_gradient_map_is_the_largest_absolute_gradient(layer):
    _, _, gradients = both_ways(WEIGHTS, CLIP, LABEL)
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "gradient", layer)
    expected = np.abs(gradients[layer or ""]).max(-1)
    np.testing.assert_allclose(found.cells[0], expected, rtol=1e-3, atol=1e-7)
    assert found.passes == 3


@pytest.mark.parametrize("layer", ["first", None])
def test_smooth_grad_is_the_mean_gradient_of_noisy_clips(layer):
    deviation = 0.3 * np.ptp(CLIP)
    noise = (
        np.random.default_rng((7, n)).normal(0, deviation, CLIP.shape).astype(np.float32)
        for n in range(4)
    )
    gradients = [both_ways(WEIGHTS, CLIP + own, LABEL)[2][layer or ""] for own in noise]
    settings = {"samples": 4, "noise": 0.3, "seed": 7}
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "smooth_grad", layer, **settings)
    expected = np.abs(np.mean(gradients, axis=0)).max(-1)
    np.testing.assert_allclose(found.cells[0], expected, rtol=1e-3, atol=1e-7)
    assert found.passes == 12


def test_smooth_grad_equals_the_gradient_without_noise_and_depends_on_the_seed():
    plain = saliency_map(network, WEIGHTS, CLIP, LABEL, "gradient")
    still = saliency_map(network, WEIGHTS, CLIP, LABEL, "smooth_grad", samples=2, noise=0)
    np.testing.assert_allclose(still.cells[0], plain.cells[0], rtol=1e-6)
    first, again, other = (
        saliency_map(network, WEIGHTS, CLIP, LABEL, "smooth_grad", samples=2, seed=seed).volume
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("blank", ["grey", "still", "blurred"])
def test_integrated_gradients_add_up_to_the_difference_of_logits(blank):
    found = saliency_map(
        network, WEIGHTS, CLIP, LABEL, "integrated_gradients", steps=300, blank=blank
    )
    start = {
        "grey": np.zeros_like(CLIP),
        "still": np.broadcast_to(CLIP.mean(1, keepdims=True), CLIP.shape),
    }.get(blank)
    if start is None:
        from scipy import ndimage

        frames = [
            [ndimage.gaussian_filter(frame[..., colour], 0.9) for colour in range(3)]
            for frame in CLIP[0]
        ]
        start = np.moveaxis(np.array(frames), 1, -1)[None]
    before, _, _ = both_ways(WEIGHTS, start, LABEL)
    difference = found.logits[LABEL] - before[LABEL]
    np.testing.assert_allclose(found.cells[0].sum(), difference, atol=0.003 * abs(difference))


def test_integrated_gradients_of_a_linear_network_are_the_clip_times_its_weights():
    found = saliency_map(linear, LINEAR, CLIP, LABEL, "integrated_gradients", steps=1)
    # Only frames 1 and 4 have weight, within the reach of their kernels.
    logits = np.asarray(linear(LINEAR, CLIP))[0]
    np.testing.assert_allclose(found.cells[0].sum(), logits[LABEL], rtol=1e-4)
    more = saliency_map(linear, LINEAR, CLIP, LABEL, "integrated_gradients", steps=3)
    np.testing.assert_allclose(found.cells[0], more.cells[0], atol=1e-6)
    for frame in range(SIZE[0]):
        for row, column in ((0, 0), (4, 5)):
            one = np.zeros_like(CLIP)
            one[0, frame, row, column] = CLIP[0, frame, row, column]
            expected = np.asarray(linear(LINEAR, one))[0, LABEL]
            np.testing.assert_allclose(found.cells[0][frame, row, column], expected, atol=1e-6)


def test_integrated_gradients_use_midpoints():
    _, _, quarter = both_ways(WEIGHTS, CLIP * 0.25, LABEL)
    _, _, three = both_ways(WEIGHTS, CLIP * 0.75, LABEL)
    expected = (CLIP[0] * (quarter[""] + three[""]) / 2).sum(-1)
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "integrated_gradients", steps=2)
    np.testing.assert_allclose(found.cells[0], expected, rtol=1e-3, atol=1e-6)
    assert found.passes == 6
