"""Maps by name: found, refused, and the same whoever draws them."""

import numpy as np
import pytest

from tests.explain.by_hand import CLIP, SIZE, enlarged, kernels_of, normal
from tests.explain.by_hand import convolve as conv
from vidjax.explain import maps, saliency_map, saliency_tube


def network(weights, clip):
    import jax.numpy as jnp
    from jax import lax

    numbers = ("NDHWC", "DHWIO", "NDHWC")
    x = clip
    for name in ("first", "last"):
        x = lax.conv_general_dilated(x, weights[name], (1, 1, 1), "SAME", dimension_numbers=numbers)
        x = jnp.maximum(x, 0)
    return x.mean((1, 2, 3)) @ weights["head"]


WEIGHTS = kernels_of(3, first=(3, 4), last=(4, 6), head=6)


def test_cam_is_the_row_times_the_channels():
    features = np.maximum(conv(np.maximum(conv(CLIP, WEIGHTS["first"]), 0), WEIGHTS["last"]), 0)
    expected = enlarged(features[0] @ WEIGHTS["head"][:, 1])
    found = saliency_map(network, WEIGHTS, CLIP, 1, "cam")
    np.testing.assert_allclose(found.volume, expected, atol=2e-5)
    assert found.class_index == 1
    assert found.resolution == "5x9x10 cells"
    assert found.passes == 3


def test_a_tube_is_the_same_by_its_own_function():
    found = saliency_map(network, WEIGHTS, CLIP, tau=0.5)
    tube = saliency_tube(network, WEIGHTS, CLIP, tau=0.5)
    np.testing.assert_array_equal(found.volume, tube.volume)
    np.testing.assert_array_equal(found.logits, tube.logits)


def test_what_does_not_fit_is_refused_in_a_line():
    for settings, reason in (
        ({"name": "cma"}, r"map 'cma' is unknown: did you mean 'cam'"),
        ({"name": "cam", "tau": 0.5}, "cam has no setting 'tau'"),
        ({"tau": 2}, r"saliency_tube tau = 2: must be a share in \[0, 1\]"),
        ({"layer": "layer9"}, "layer 'layer9' is unknown"),
    ):
        with pytest.raises(ValueError, match=reason):
            saliency_map(network, WEIGHTS, normal(0, 1, *SIZE, 3), **settings)


def test_every_map_says_where_it_is_from_and_what_its_settings_mean():
    for name, own in maps.known().items():
        assert own.title
        assert own.source
        for setting, about in own.settings.items():
            assert about.meaning or name == "saliency_tube", f"{name} {setting}"
