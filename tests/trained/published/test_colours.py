"""Tests that BGR networks converted to RGB compute the same function."""

import jax
import numpy as np
import pytest

import vidjax
from tests.trained.published.rows import REAL
from vidjax.convert.input_normalization import to_rgb
from vidjax.trained.published.clip_preprocessing import preprocessing_of

BGR = {row.network: row for row in REAL if row.channels == "BGR"}
CLIP = (1, 8, 32, 32, 3)
# These consist of the same modules as others of their family.
ALIKE = ("srtg_r3d_50", "srtg_r3d_101", "srtg_r2plus1d_101")
NETWORKS = [
    pytest.param(network, marks=[pytest.mark.slow] if network in ALIKE else []) for network in BGR
]


def tiny(network):
    options = {"width": 8} if network.startswith("slowfast") else {"width": 4}
    return vidjax.create_model(network, num_classes=3, depths=(1, 1, 1, 1), **options)


def filled(model, rng):
    """Returns random variables without running the initialisers."""
    clip = jax.ShapeDtypeStruct(CLIP, np.float32)
    made = jax.eval_shape(lambda clip: model.init(jax.random.key(0), clip, train=False), clip)

    def fill(path, leaf):
        if path[-1].key in ("scale", "var"):
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        # Without offsets, the logits depend on the clip alone.
        spread = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 0.0
        return spread * rng.standard_normal(leaf.shape, np.float32)

    return jax.tree_util.tree_map_with_path(fill, made)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_converted_network_gives_the_same_logits_on_rgb(network):
    model, row = tiny(network), BGR[network]
    rng = np.random.default_rng(0)
    bgr = rng.random(CLIP, np.float32)
    normalised = (bgr - np.array(row.mean)) / np.array(row.std)
    variables = filled(model, rng)
    seen = preprocessing_of(row)
    rgb = (bgr[..., ::-1] - np.array(seen.mean)) / np.array(seen.std)
    apply = jax.jit(lambda variables, clip: model.apply(variables, clip, train=False))
    wanted = np.asarray(apply(variables, normalised.astype(np.float32)))
    found = np.asarray(apply(to_rgb(variables), rgb.astype(np.float32)))
    wrong = np.asarray(apply(variables, rgb.astype(np.float32)))
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, atol=1e-5 * scale)
    assert np.abs(wrong - wanted).max() > 1e-3 * scale


def test_only_the_first_kernels_change():
    model = tiny("slowfast_50")
    variables = filled(model, np.random.default_rng(0))
    turned = jax.tree_util.tree_leaves_with_path(to_rgb(variables))
    changed = [
        "/".join(part.key for part in path)
        for (path, new), old in zip(turned, jax.tree.leaves(variables), strict=True)
        if not np.array_equal(new, old)
    ]
    assert changed == [
        "params/fast_stem_layer/conv/kernel",
        "params/slow_stem_layer/conv/kernel",
    ]


def test_a_network_with_an_unknown_first_kernel_is_refused():
    with pytest.raises(ValueError, match="no first convolution"):
        to_rgb({"params": {"first": {"kernel": np.zeros((1, 1, 1, 3, 4))}}, "batch_stats": {}})
