"""Tests the configuration of Temporal Segment Networks, for RGB and for optical flow."""

import inspect

import jax
import numpy as np
import pytest

from configs import tsn
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model
from vidjax.run.config import from_mapping
from vidjax.run.network import Network


@pytest.mark.parametrize("modality", ["rgb", "flow"])
@pytest.mark.parametrize("model", ["tsn_bninception", "tsn_50"])
def test_training_uses_three_segments_and_evaluation_twenty_five(modality, model):
    config = from_mapping(tsn.get_config(f"modality={modality},model={model}"))
    channels = 10 if modality == "flow" else 3
    assert config.data.channels == channels
    network = Network.of(config, tuple(map(str, range(101))))
    assert network.clip_shape == (3, 224, 224, channels)
    assert (network.views.shape.frames, network.views.crops) == (25, 10)
    assert config.train.partial_batch_norm
    indices = config.clip.train_indices(np.random.default_rng(0), 90)
    assert (indices // 30).tolist() == [0, 1, 2]
    assert config.clip.view_indices(90, 1).tolist() == [[15, 45, 75]]


def test_the_two_streams_differ_as_published():
    rgb, flow = (tsn.get_config(f"modality={name}") for name in ("rgb", "flow"))
    assert (rgb.model.options.dropout, flow.model.options.dropout) == (0.8, 0.7)
    assert (rgb.train.duration, flow.train.duration) == ("80 epochs", "340 epochs")
    sizes = []
    for config in (rgb, flow):
        network = create_model(rgb.model.name, num_classes=400, **config.model.options)
        clip = jax.ShapeDtypeStruct((1, 3, 64, 64, from_mapping(config).data.channels), "float32")
        shapes = jax.eval_shape(lambda x, own=network: own.init(jax.random.key(0), x), clip)
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])))
    # Only the stem is larger, by 7 x 7 x 64 for each channel.
    assert sizes[0] == model_card(rgb.model.name).params
    assert sizes[1] - sizes[0] == 7 * 7 * 64 * 7


def test_the_row_of_moments_in_time_is_flow():
    config = tsn.get_config("dataset=mit,modality=flow")
    assert (config.data.name, config.eval.split) == ("moments_in_time", "val")
    with pytest.raises(ValueError, match="modality = 'sound': must be one of rgb, flow"):
        tsn.get_config("modality=sound")


def test_the_docstring_is_complete_and_the_file_is_short():
    for part in ("table", "Hardware:", "Score: the", "yours"):
        assert part in tsn.__doc__
    assert len(inspect.getsource(tsn).splitlines()) <= 60


def test_sizes_that_the_network_cannot_halve_are_refused_in_one_line():
    network = create_model("tsn_bninception", num_classes=2, width=4)
    for height, width in ((48, 64), (64, 200), (4, 4)):
        clip = jax.ShapeDtypeStruct((1, 1, height, width, 3), "float32")
        with pytest.raises(ValueError, match=f"frames of {width}x{height} pixels .* of 32"):
            jax.eval_shape(lambda x: network.init(jax.random.key(0), x), clip)
