"""Tests starting from the weights of a run, with and without a new method in the network."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from configs import common
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.network import Network
from vidjax.run.restoring import restore
from vidjax.run.workdir import read_classes, read_config
from vidjax.trained.open_weights import open_weights
from vidjax.training.initial_weights import resolve, start_from
from vidjax.training.loop import train

BASE = {"width": 4, "depths": (1, 0, 0, 1)}


def config_of(weights="", seed=0, **options):
    config = common.base()
    config.seed = seed
    config.model.update({"options": options, "weights": str(weights)})
    config.data.update({"name": "synthetic", "options": {}})
    config.data.options = {"num_classes": 3, "videos": 6, "frames": 4, "size": 20}
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.train.update({"duration": "2 steps", "batch_size": 4, "train_only": ""})
    config.eval.update({"size": 16, "batch_size": 6})
    return from_mapping(config)


@pytest.fixture(scope="module")
def base_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("base") / "run"
    train(config_of(**BASE), workdir)
    return workdir


def state_of(workdir):
    network = Network.of(from_mapping(read_config(workdir)), read_classes(workdir))
    return restore(network, workdir, "last")[1]


def test_a_method_can_be_added_and_tuned_alone(base_run, tmp_path, capfd):
    config = config_of(base_run, seed=1, class_reg={})
    config = dataclasses.replace(
        config, train=dataclasses.replace(config.train, train_only="class_reg")
    )
    train(config, tmp_path / "run")
    said = capfd.readouterr().err
    for layer in (1, 4):
        assert f"layer{layer}/after_stage/class_reg" in said
    before, after = state_of(base_run), state_of(tmp_path / "run")
    for layer in (1, 4):
        after.params[f"layer{layer}"].pop("after_stage")
    blocks = {name: params for name, params in after.params.items() if params}
    jax.tree.map(np.testing.assert_array_equal, before.params, blocks)
    jax.tree.map(np.testing.assert_array_equal, before.batch_stats, after.batch_stats)


def first_state_from(base_run, classes):
    """Returns the first state of a run with these classes that starts from `base_run`."""
    config, said = resolve(config_of(base_run, seed=1)), []
    network = Network.of(config, classes)
    state, _ = network.init(network.optimizer(optax.constant_schedule(0.1)))
    own = jax.tree.map(np.asarray, state.params["head"])
    started = start_from(state, config.model, classes, said.append)
    return own, started.params["head"], said[0]


def test_the_classifier_is_reordered_with_its_classes(base_run):
    theirs, trained = read_classes(base_run), state_of(base_run).params["head"]
    _, head, said = first_state_from(base_run, theirs[::-1])
    np.testing.assert_array_equal(head["kernel"], trained["kernel"][:, ::-1])
    np.testing.assert_array_equal(head["bias"], trained["bias"][::-1])
    assert "random" not in said


@pytest.mark.parametrize("classes", [("walk", "sit", "run"), ("brightness 0", "brightness 1")])
def test_the_classifier_of_other_classes_is_initialised_anew(base_run, classes):
    own, head, said = first_state_from(base_run, classes)
    jax.tree.map(np.testing.assert_array_equal, head, own)
    assert said.endswith("; random: head")


def test_a_run_provides_its_network_and_normalization(base_run):
    weights = open_weights(str(base_run))
    assert weights.name == "r3d_18"
    filled = resolve(config_of(base_run, class_reg={}))
    assert filled.model.options["width"] == 4
    assert filled.model.options["class_reg"] == {}
    assert filled.model.mean == weights.preprocessing.mean


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"width": 8}, "but the network needs"),
        ({"depths": (1, 0, 0, 2)}, "layer4/block2/.* is missing"),
    ],
)
def test_weights_of_another_shape_are_refused(base_run, tmp_path, options, named):
    with pytest.raises(ConfigError, match=f"(?s){named}.*model.options"):
        train(config_of(base_run, **(BASE | options)), tmp_path / "run")


def test_weights_of_a_larger_network_are_refused(base_run, tmp_path):
    with pytest.raises(ConfigError, match="the network has no layer"):
        train(config_of(base_run, width=4, depths=(1, 0, 0, 0)), tmp_path / "run")


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="model.weights: .* names no weights"):
        resolve(config_of(tmp_path))
