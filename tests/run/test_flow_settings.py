"""Tests settings of optical flow: invalid or ineffective ones are refused in one line."""

import numpy as np
import pytest

from configs import synthetic
from tests.data.test_optical_flow import MOVES, moving
from tests.videos import write_video
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.experiment import Experiment
from vidjax.run.network import Network
from vidjax.trained.sources.run import preprocessing_of

FLOW = {"data__input": "flow", "data__name": "video_folder", "model__name": "tsn_bninception"}
TWO = {**FLOW, "data__flow_pairs": 2, "model__options": {"width": 4, "channels": 4}}


def config(**changes):
    made = synthetic.get_config().to_dict()
    made["clip"] |= {"frames": 3, "size": 32, "sampling": "segments"}
    made["eval"] |= {"size": 32, "batch_size": 2}
    made["train"] |= {"batch_size": 2}
    for path, value in changes.items():
        group, name = path.split("__")
        made[group][name] = value
    return from_mapping(made)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__flow_method": "farneback"}, r"data.flow_method = 'farneback' has no effect, bec"),
        ({"data__flow_bound": 3.0}, r"data.flow_bound = 3.0 has no effect, because data.input"),
        ({"data__flow_pairs": 1}, r"data.flow_pairs = 1 has no effect, because data.input = 'fr"),
        ({"data__input": "flow"}, "data.name = 'synthetic': random arrays have no flow"),
        ({**FLOW, "data__flow_method": "brox"}, "data.flow_method = 'brox': must be one of dis"),
        ({**FLOW, "augment__color": 0.5}, r"augment.color = 0.5 with .* set augment.color to 0.0"),
        ({**FLOW, "augment__chain": 0.9}, "augment.chain = 0.9 with data.input = 'flow'"),
        ({**FLOW, "augment__device": True}, "augment.device = True with data.input = 'flow'"),
        ({**FLOW, "augment__also": {"random_erasing": {}}}, "augment.also = .* with data.input"),
        ({**FLOW, "model__mean": (0.5,) * 3}, r"model.mean = .*: expected 2 values, x and"),
        ({"model__std": (0.5,) * 2}, r"model.std = .*: expected 3 values, three colours"),
        (
            {"train__partial_batch_norm": True, "train__frozen_batch_norm": True},
            "train.partial_batch_norm = True has no effect, because train.frozen_batch_norm",
        ),
        (
            {"train__partial_batch_norm": True, "train__train_only": "head"},
            "train.partial_batch_norm = True has no effect, because train.train_only",
        ),
    ],
)
def test_conflicting_settings_are_refused_with_the_fix(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (FLOW, "takes 3 channels .* data.flow_pairs = 5 gives 10: set model.options.channels=10"),
        (
            {**TWO, "data__flow_pairs": 5},
            "takes 4 channels .* gives 10: set model.options.channels=10, or data.flow_pairs=2",
        ),
        (
            {"model__name": "tsn_bninception", "model__options": {"width": 4, "channels": 4}},
            "takes 4 channels per frame, but data.input = 'frames' gives 3: set .*channels=3",
        ),
        ({**FLOW, "model__name": "r3d_18"}, "takes 3 channels .*: set data.input='frames'"),
    ],
)
def test_a_network_with_other_channels_is_refused_with_both_numbers(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Network.of(config(**changes), ("a", "b"))
    assert "\n" not in str(caught.value)


def test_flow_has_its_own_mean_and_deviation():
    network = Network.of(config(**TWO), ("a", "b"))
    assert network.clip_shape == (3, 32, 32, 4)
    # 128 and 1 on the scale from 0 to 255, like the network's authors.
    np.testing.assert_allclose(np.array([network.mean, network.std]) * 255, [[128] * 2, [1] * 2])
    given = {"model__mean": (0.5, 0.4), "model__std": (0.2, 0.1)}
    own = Network.of(config(**TWO, **given), ("a", "b"))
    clip = np.full((1, 2, 2, 4), 255, np.uint8)
    normal = preprocessing_of(own).normalized(clip)
    np.testing.assert_allclose(normal[0, 0, 0], [2.5, 6, 2.5, 6], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model__name": "tsn_50", "model__options": {"width": 4, "depths": (1, 0, 0, 0)}},
            "",
        ),
        (
            {"model__name": "resnet_50", "model__options": {"width": 4}, "clip__frames": 1},
            r"eval.frames = 5: this network takes clips of T = 1",
        ),
    ],
)
def test_evaluation_may_use_more_frames_if_the_network_accepts_them(changes, message):
    settings = config(**changes, eval__frames=5, train__partial_batch_norm=True)
    network = Network.of(settings, ("a", "b"))
    if message:
        with pytest.raises(ConfigError, match=message):
            network.check_training()
        return
    network.check_training()
    assert network.views.shape.frames == preprocessing_of(network).frames == 5
    indices = network.views.shape.view_indices(50, 1)
    assert indices.tolist() == [[5, 15, 25, 35, 45]]
    assert network.clip_shape[0] == 3


def test_stored_frames_and_flow_are_not_confused(tmp_path, monkeypatch):
    for label, move in MOVES.items():
        for split in ("train", "test"):
            write_video(tmp_path / "videos" / split / label / "a.mp4", moving(*move))
    places = {"data__manifest": str(tmp_path / "videos"), "data__data_dir": str(tmp_path / "data")}
    places |= {"data__workers": 1, "data__short_side": 48, "data__options": {}}
    places |= {"augment__flip": 0.0}
    flow = Experiment.open(config(**TWO, **places), lambda *_: None, training=True)
    assert flow.split("train")[0].decode(np.array([0])).shape == (1, 48, 72, 4)
    frames = config(**{**places, "data__name": "video_folder", "model__options": {"width": 4}})
    monkeypatch.setattr("vidjax.run.experiment._prepare", lambda *_: flow.directory)
    with pytest.raises(ConfigError, match=r"data.input = 'frames': video_folder is stored as flow"):
        Experiment.open(frames, lambda *_: None)
