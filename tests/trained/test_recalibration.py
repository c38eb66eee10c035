"""Batch statistics of variants are means over random training clips, each used once."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from configs import synthetic
from vidjax.run.config import from_mapping
from vidjax.run.experiment import Experiment
from vidjax.trained.recalibration import recalibrate


def opened(batch_size):
    config = synthetic.get_config()
    config.model.name = "r3d_18"
    config.data.options = {"num_classes": 3, "videos": 12, "frames": 4, "size": 16}
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": batch_size})
    return Experiment.open(from_mapping(config), lambda *_: None)


def brightness(factor, clip):
    return {"mean": factor * jnp.mean(clip.astype(jnp.float32))}


def of_videos(experiment):
    """Mean brightness of each training video's middle clip."""
    views = dataclasses.replace(experiment.network.views, clips=1, crops=1)
    source = experiment.split("train")
    return [views.cut(source[number], 0).mean() for number in range(len(source))]


@pytest.mark.parametrize("batch_size", [4, 12, 64])
def test_all_training_videos_count_once(batch_size):
    experiment = opened(batch_size)
    expected = np.mean(of_videos(experiment))
    one, two = recalibrate(experiment, [1.0, 3.0], brightness, 512)
    np.testing.assert_allclose(one["mean"], expected, rtol=1e-5)
    np.testing.assert_allclose(two["mean"], 3 * expected, rtol=1e-5)


def test_fewer_clips_than_a_batch_are_a_smaller_batch():
    experiment = opened(64)
    (found,) = recalibrate(experiment, [1.0], brightness, 1)
    assert np.isclose(of_videos(experiment), found["mean"], rtol=1e-5).sum() == 1
