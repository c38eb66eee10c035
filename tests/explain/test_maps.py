"""Tests maps by name: they are found or refused, and all callers get the same map."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.explain import numpy_reference
from tests.explain.numpy_reference import CLIP, SIZE, enlarged, kernels_of, normal
from tests.explain.numpy_reference import convolve as conv
from vidjax import plugins
from vidjax.explain import class_feature_pyramid, maps, saliency_map, saliency_tube
from vidjax.explain.captioned_map import resolution
from vidjax.explain.saliency_map import SaliencyMap
from vidjax.explain.traced_network import trace_network
from vidjax.settings import one_of
from vidjax.trained.clip_explanation import OpenClip
from vidjax.trained.clip_maps import ClipMaps


def network(weights, clip):
    x = clip
    for name in ("first", "last"):
        x = jnp.maximum(numpy_reference.conv3d(x, weights[name]), 0)
    return x.mean((1, 2, 3)) @ weights["head"]


WEIGHTS = kernels_of(3, first=(3, 4), last=(4, 6), head=6)


def test_cam_multiplies_channels_by_the_classifiers_row():
    features = np.maximum(conv(np.maximum(conv(CLIP, WEIGHTS["first"]), 0), WEIGHTS["last"]), 0)
    expected = enlarged(features[0] @ WEIGHTS["head"][:, 1])
    found = saliency_map(network, WEIGHTS, CLIP, 1, "cam")
    np.testing.assert_allclose(found.volume, expected, atol=2e-5)
    assert found.class_index == 1
    assert found.resolution == "5x9x10 cells"
    assert found.passes == 3


def test_tubes_by_name_equal_those_of_their_function():
    found = saliency_map(network, WEIGHTS, CLIP, tau=0.5)
    tube = saliency_tube(network, WEIGHTS, CLIP, tau=0.5)
    np.testing.assert_array_equal(found.volume, tube.volume)
    np.testing.assert_array_equal(found.logits, tube.logits)


def test_unsupported_maps_are_refused_in_one_line():
    for settings, reason in (
        ({"name": "cma"}, r"map 'cma' is unknown: did you mean 'cam'"),
        ({"name": "cam", "tau": 0.5}, "cam has no setting 'tau'"),
        ({"tau": 2}, r"saliency_tube tau = 2: must be a share in \[0, 1\]"),
        ({"layer": "layer9"}, "layer 'layer9' is unknown"),
    ):
        with pytest.raises(ValueError, match=reason):
            saliency_map(network, WEIGHTS, normal(0, 1, *SIZE, 3), **settings)


def test_every_map_states_its_source_and_describes_its_settings():
    for name, own in maps.known().items():
        assert own.title
        assert own.source
        assert set(own.settings) == set(own.kinds)
        for setting, about in own.settings.items():
            assert about.meaning, f"{name} {setting}"
            assert about.default is not ..., f"{name} {setting}"


def test_an_opened_network_can_be_reused():
    read = trace_network(network, WEIGHTS, CLIP)
    first, again = (saliency_map(own, WEIGHTS, CLIP, 1, "cam") for own in (network, read))
    np.testing.assert_array_equal(first.volume, again.volume)


def test_only_maps_with_many_passes_report_progress():
    told = []
    for name in ("cam", "smooth_grad"):
        saliency_map(network, WEIGHTS, CLIP, 1, name, progress=lambda *step: told.append(step))
    assert told == [(done, 75) for done in range(3, 76, 3)]


def test_maps_of_other_packages_are_drawn_like_ours(monkeypatch):
    def corner(network, variables, clip, class_index, layer, *, sign=1):
        """Highlights one corner.

        Args:
          sign: sign of the corner's value.
        """
        cells = np.zeros((1, 2, 2))
        cells[0, 0, 0] = sign * (class_index + 1)
        return maps.Heat((cells,), 0)

    module = SimpleNamespace(
        MAPS=(maps.Map("corner", "Corner", corner, "nobody", {"sign": one_of(-1, 1)}),)
    )
    monkeypatch.setattr(plugins, "_registered", {})
    try:
        plugins.register("vidjax.explain.maps", "corner", module)
        assert list(maps.known())[-1] == "corner"
        found = saliency_map(network, WEIGHTS, CLIP, 1, "corner")
        assert found.volume[0, 0, 0] == 1
        turned = saliency_map(network, WEIGHTS, CLIP, 1, "corner", sign=-1)
        np.testing.assert_allclose(turned.volume, 1 - found.volume, atol=1e-6)
    finally:
        monkeypatch.undo()
        plugins.refresh()
    assert "corner" not in maps.known()


def named(weights, clip):
    """Returns the same network with named layers."""
    with jax.named_scope("low"):
        x = jnp.maximum(numpy_reference.conv3d(clip, weights["first"]), 0)
    with jax.named_scope("high"):
        x = jnp.maximum(numpy_reference.conv3d(x, weights["last"]), 0)
    return x.mean((1, 2, 3)) @ weights["head"]


@pytest.mark.parametrize("mode", ["layer", "feature"])
def test_kernels_of_a_pyramid_form_their_layers_tube(mode):
    settings = {"threshold": 0.5, "mode": mode}
    pyramid = class_feature_pyramid(named, WEIGHTS, CLIP, 1, 2, **settings)
    low = saliency_map(named, WEIGHTS, CLIP, 1, "class_feature_pyramid", "low", **settings)
    high = saliency_map(named, WEIGHTS, CLIP, 1, "class_feature_pyramid", depth=1, **settings)
    assert np.ptp(low.volume) > 0
    np.testing.assert_allclose(low.volume, pyramid.tube("low"), atol=1e-6)
    np.testing.assert_allclose(high.volume, pyramid.tube("high"), atol=1e-6)
    deepest = saliency_map(named, WEIGHTS, CLIP, 1, "class_feature_pyramid", **settings)
    np.testing.assert_array_equal(deepest.volume, low.volume)
    assert low.passes == 1


def test_an_empty_pyramid_is_an_empty_map():
    nothing = {**WEIGHTS, "head": np.ones_like(WEIGHTS["head"]), "last": 0 * WEIGHTS["last"]}
    found = saliency_map(named, nothing, CLIP, 1, "class_feature_pyramid", "low")
    assert found.resolution == "5x9x10 cells"
    assert not found.volume.any()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"layer": "low", "depth": 2}, "depth = 2 has no effect with layer = 'low'"),
        ({"depth": 3}, "depth = 3: this network has levels 1 to 2"),
        ({"layer": "lo"}, "layer 'lo' is unknown: did you mean 'low'"),
    ],
)
def test_missing_levels_of_a_pyramid_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        saliency_map(named, WEIGHTS, CLIP, 1, "class_feature_pyramid", **settings)


def test_a_signed_map_can_be_drawn_around_0():
    features = np.maximum(conv(np.maximum(conv(CLIP, WEIGHTS["first"]), 0), WEIGHTS["last"]), 0)
    cells = features[0] @ WEIGHTS["head"][:, 1] / features[0, ..., 0].size
    assert cells.min() < 0 < cells.max()
    found = saliency_map(network, WEIGHTS, CLIP, 1, "hires_cam")
    np.testing.assert_allclose(found.cells[0], cells, atol=1e-5)
    drawn = found.around_zero
    # Enlarging keeps the first and last cells where they are.
    corners = np.ix_(*([0, -1] for _ in range(3)))
    share = drawn[corners] / cells[corners]
    np.testing.assert_allclose(share, share[0, 0, 0], rtol=1e-3)
    assert np.abs(drawn).max() == 1
    assert maps.named("hires_cam").signed


def test_equal_sizes_are_named_once():
    sizes = [np.zeros((4, 6, 6)), np.zeros((4, 6, 6)), np.zeros((8, 3, 3))]
    assert resolution(sizes) == "4x6x6 and 8x3x3 cells"


def test_few_bright_pixels_leave_the_others_visible():
    volume = np.full((4, 10, 10), 0.1, np.float32)
    volume[0, 0, 0] = 1
    cells = np.zeros((1, 1, 1))
    trained = SimpleNamespace(labels=["sit"], chances=lambda logits: [1.0])
    opened = OpenClip(trained, np.zeros((4, 10, 10, 3), np.uint8), 8)
    drawn = {}
    for name, own in (("gradient", volume), ("grad_cam", cells)):
        seen = SaliencyMap(name, 0, None, volume, (own,), np.zeros(1), 3, 1.0)
        (drawn[name],) = ClipMaps(opened, {name: seen}).drawn
    np.testing.assert_allclose(drawn["gradient"].volume, 1)
    assert drawn["gradient"].facts[-1] == "clipped at the 99.5th percentile"
    np.testing.assert_array_equal(drawn["grad_cam"].volume, volume)


def test_maps_print_as_their_names_and_titles():
    assert "0x" not in repr(maps.known())
    assert "name='rise', title='RISE'" in repr(maps.named("rise"))
