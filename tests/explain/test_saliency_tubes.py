"""Tests tubes of tiny networks against eq. 7.1 in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.explain import numpy_reference
from tests.explain.numpy_reference import CLIP, WEIGHTS
from vidjax.explain.saliency_tubes import saliency_tube

ROW = WEIGHTS["head"][:, 2]  # some are negative
assert_close = partial(np.testing.assert_allclose, rtol=1e-3, atol=2e-4)


def weighted(features, weights):
    """Returns channels first, each multiplied by its weight."""
    return np.moveaxis(np.float64(features[0]) * weights, -1, 0)


def squares(channels, kept=slice(None)):
    """Rescales each channel to [0, 1] and adds the squares."""
    span = np.ptp(channels, axis=(1, 2, 3), keepdims=True)
    units = (channels - channels.min((1, 2, 3), keepdims=True)) / np.where(span == 0, 1, span)
    return (units[kept] ** 2).sum(0)


@pytest.fixture(scope="module")
def chain():
    """Returns the variables of a network, and the features that it pools."""
    variables, inputs = numpy_reference.chain_by_hand()
    return variables, inputs["head"]


def test_the_thesis_form_adds_squares_of_rescaled_channels(chain):
    tube = saliency_tube(numpy_reference.Chain(), chain[0], CLIP, 2)
    low = squares(weighted(chain[1], ROW))
    assert_close(tube.low[0], low)
    assert_close(tube.volume, numpy_reference.enlarged(low))
    assert tube.volume.shape == numpy_reference.SIZE
    assert (tube.volume.min(), tube.volume.max()) == (0, 1)
    assert tube.kept[0].tolist() == [True] * 5


def test_the_plain_form_adds_weighted_channels(chain):
    tube = saliency_tube(numpy_reference.Chain(), chain[0], CLIP, 2, mode="cam")
    low = weighted(chain[1], ROW).sum(0)
    assert_close(tube.low[0], low)
    assert_close(tube.volume, numpy_reference.enlarged(low))


@pytest.mark.parametrize("tau", [0.05, 0.6])
def test_channels_below_a_share_of_the_largest_are_dropped(chain, tau):
    channels = weighted(chain[1], ROW)
    largest = channels.max((1, 2, 3))
    kept = largest >= tau * largest.max()
    assert 0 < kept.sum() < 5
    tube = saliency_tube(numpy_reference.Chain(), chain[0], CLIP, 2, tau=tau)
    assert tube.kept[0].tolist() == kept.tolist()
    assert_close(tube.low[0], squares(channels, kept))


@pytest.mark.parametrize("mode", ["thesis", "cam"])
def test_plain_jax_with_channels_second_equals_flax(chain, mode):
    one = saliency_tube(numpy_reference.Chain(), chain[0], CLIP, mode=mode)
    other = saliency_tube(numpy_reference.channels_second, chain[0], CLIP[0], mode=mode)
    logits = chain[1].mean((0, 1, 2, 3)) @ WEIGHTS["head"] + chain[0]["params"]["head"]["bias"]
    assert one.class_index == other.class_index == int(logits.argmax())
    assert_close(one.low[0], other.low[0])
    assert_close(one.volume, other.volume)


@pytest.mark.parametrize("constant", [[0], [0, 1, 2, 3, 4]])
def test_a_constant_channel_adds_nothing(chain, constant):
    norm = {name: values.copy() for name, values in chain[0]["params"]["norm3"].items()}
    norm["scale"][constant], norm["bias"][constant] = 0, 1
    variables = dict(chain[0], params=dict(chain[0]["params"], norm3=norm))
    features = chain[1].copy()
    features[..., constant] = 1
    tube = saliency_tube(numpy_reference.Chain(), variables, CLIP, 2)
    assert_close(tube.low[0], squares(weighted(features, ROW)))
    assert tube.volume.max() == (1 if len(constant) == 1 else 0)


def hidden(xp, features, weights):
    """Computes the logits of a head with two layers."""
    return xp.maximum(features.mean((1, 2, 3)) @ weights["hidden"], 0) @ weights["head"]


@pytest.mark.parametrize("mode", ["thesis", "cam"])
def test_weights_of_a_head_of_two_layers_are_gradients_summed_over_positions(mode):
    weights = numpy_reference.kernels_of(200, conv1=(3, 5), head=6)
    weights["hidden"] = numpy_reference.normal(201, 5, 6)

    def model(weights, clip):
        return hidden(jnp, jax.nn.relu(numpy_reference.conv3d(clip, weights["conv1"])), weights)

    features = np.maximum(np.float64(numpy_reference.convolve(CLIP, weights["conv1"])), 0)
    ends = ((hidden(np, features + s, weights) for s in (d, -d)) for d in 1e-5 * np.eye(5))
    slopes = [(after - before)[0, 1] / 2e-5 for after, before in ends]
    assert min(slopes) < 0 < max(slopes)
    channels = weighted(features, slopes)
    tube = saliency_tube(model, weights, CLIP, 1, mode=mode)
    assert_close(tube.low[0], squares(channels) if mode == "thesis" else channels.sum(0))


def pathways(xp, conv, x):
    return xp.maximum(conv("slow", x[:, ::3, ::2]), 0), xp.maximum(conv("fast", x), 0)


@pytest.mark.parametrize(("mode", "tau"), [("thesis", None), ("thesis", 0.5), ("cam", None)])
def test_features_of_several_sizes_are_enlarged_separately_and_added(mode, tau):
    def network(xp, conv, x, weights):
        return xp.concatenate([own.mean((1, 2, 3)) for own in pathways(xp, conv, x)], -1)

    weights = numpy_reference.kernels_of(110, slow=(3, 5), fast=(3, 3), head=8)
    tube = saliency_tube(numpy_reference.function_of(network), weights, CLIP, 0, mode=mode, tau=tau)
    found = {len(kept): (kept.tolist(), low) for kept, low in zip(tube.kept, tube.low, strict=True)}
    features = pathways(np, lambda name, x: numpy_reference.convolve(x, weights[name]), CLIP)
    channels = list(map(weighted, features, np.split(weights["head"][:, 0], [5])))
    least = -np.inf if tau is None else tau * max(own.max() for own in channels)
    lows = []
    for own in channels:
        kept = own.max((1, 2, 3)) >= least
        lows.append(own.sum(0) if mode == "cam" else squares(own, kept))
        assert found[len(own)][0] == kept.tolist()
        assert_close(found[len(own)][1], lows[-1])
    assert_close(tube.volume, numpy_reference.enlarged(*lows))


def test_a_head_that_reads_a_single_location_is_refused():
    def corner(weights, clip):
        x = jax.nn.relu(numpy_reference.conv3d(clip, weights["conv1"]))
        return x[:, 0, 0, 0] @ weights["head"]

    weights = numpy_reference.kernels_of(210, conv1=(3, 2), head=2)
    with pytest.raises(ValueError, match="pools no features"):
        saliency_tube(corner, weights, CLIP, 0)


@pytest.mark.parametrize(("name", "value"), [("class_index", 7), ("mode", "grad")])
def test_invalid_values_are_named(chain, name, value):
    with pytest.raises(ValueError, match=str(value)):
        saliency_tube(numpy_reference.Chain(), chain[0], CLIP, **{name: value})
