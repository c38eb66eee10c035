"""Tests converting published weights to a folder, and starting a run from it."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

import vidjax
from tests import references
from tests.commands import refusal, run_command
from tests.convert.test_loading import norm
from tests.trained import made
from vidjax.convert import converted_folder
from vidjax.convert.loading import convert, load_torch
from vidjax.trained.open_weights import open_weights


def call(module, *arguments):
    return run_command(f"experiments.{module}", *arguments)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Writes the smallest network of a published layout, with 7 classes."""
    keys = {"conv1.weight": (16, 3, 3, 3)} | norm("bn1", 16)
    inputs = 16
    for layer, outputs in enumerate((16, 32, 64), start=1):
        for block in range(18):
            name = f"layer{layer}.{block}"
            keys[f"{name}.conv1.weight"] = (outputs, inputs, 3, 3)
            keys[f"{name}.conv2.weight"] = (outputs, outputs, 3, 3)
            keys |= norm(f"{name}.bn1", outputs) | norm(f"{name}.bn2", outputs)
            inputs = outputs
    keys |= {"linear.weight": (7, 64), "linear.bias": (7,)}
    state = references.state_dict(keys, 1.0)
    file = tmp_path_factory.mktemp("published") / "resnet110.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in state.items()}, file)
    return file


def test_a_checkpoint_is_converted_with_preprocessing_and_card(checkpoint, tmp_path):
    output = tmp_path / "weights"
    arguments = ("--model=cifar_resnet_110", f"--checkpoint={checkpoint}", f"--output={output}")
    done = call("convert", *arguments)
    assert done.returncode == 0, done.stderr
    assert "0 missing, 0 unused" in done.stdout
    assert "create_model('cifar_resnet_110', num_classes=7, shortcut='pad_around')" in done.stdout
    facts = json.loads((output / "model.json").read_text())
    card = vidjax.model_card("cifar_resnet_110")
    # The project trained on CIFAR with ImageNet's normalisation.
    assert facts["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert facts["card"]["paper"] == card.paper
    assert facts["source"].startswith("resnet110.safetensors, sha256 ")

    weights = converted_folder.read(output)
    assert (weights.options, weights.num_classes) == ({"shortcut": "pad_around"}, 7)
    read = weights.variables()
    expected = load_torch("cifar_resnet_110", checkpoint)
    kernel = expected["params"]["layer2"]["block3"]["conv1"]["kernel"]
    np.testing.assert_array_equal(read["params"]["layer2"]["block3"]["conv1"]["kernel"], kernel)

    again = call("convert", *arguments)
    assert again.returncode == 2
    assert "is not empty; name another --output" in again.stderr


def test_other_files_are_refused_in_one_line(tmp_path):
    wrong = tmp_path / "notes.pth"
    wrong.write_text("not a checkpoint")
    done = call("convert", "--model=r3d_18", f"--checkpoint={wrong}", f"--output={tmp_path}/out")
    assert done.returncode == 2
    assert "notes.pth" in done.stderr
    assert "Weights of r3d_18 are known from: 3D-ResNets-PyTorch" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_channel_order_without_effect_is_refused(checkpoint, tmp_path):
    arguments = (f"--checkpoint={checkpoint}", f"--output={tmp_path / 'out'}", "--channels=BGR")
    done = call("convert", "--model=r3d_18", "--inflate=mean", *arguments)
    assert "--channels has no effect with --inflate" in refusal(done)


def test_a_run_starts_from_converted_weights_and_keeps_their_settings(tmp_path):
    keys = {"conv1.weight": (4, 3, 7, 7, 7)} | norm("bn1", 4)
    keys |= {"layer1.0.conv1.weight": (4, 4, 3, 3, 3), "layer1.0.conv2.weight": (4, 4, 3, 3, 3)}
    keys |= norm("layer1.0.bn1", 4) | norm("layer1.0.bn2", 4)
    keys |= {"fc.weight": (9, 4), "fc.bias": (9,)}
    options = {"width": 4, "depths": (1, 0, 0, 0)}
    converted = convert("r3d_18", references.state_dict(keys, 1.0), **options)
    converted_folder.write(converted, "r3d_18", tmp_path / "weights", source="made up")
    settings = {
        "model.weights": tmp_path / "weights",
        "data.options": "{'num_classes':3,'videos':12,'frames':6,'size':20}",
        "clip.frames": 2,
        "clip.size": 16,
        "eval.size": 16,
        "train.duration": "2 steps",
        "train.batch_size": 4,
        "optimizer.lr": 0.0,
        "optimizer.weight_decay": 0.0,
    }
    flags = [f"--config.{key}={value}" for key, value in settings.items()]
    run = tmp_path / "run"
    done = call("train", "--config=configs/synthetic.py", f"--workdir={run}", *flags)
    assert done.returncode == 0, done.stderr
    assert "random: head" in done.stdout + done.stderr
    model = json.loads((run / "config.json").read_text())["model"]
    assert model["options"]["width"] == 4
    assert model["mean"] == list(vidjax.model_card("r3d_18").mean)
    # With a learning rate of zero, the run ends with the weights that it started from.
    from vidjax.run.config import from_mapping
    from vidjax.run.network import Network
    from vidjax.run.restoring import restore
    from vidjax.run.workdir import read_config

    network = Network.of(from_mapping(read_config(run)), ("a", "b", "c"))
    _, state = restore(network, run, "last")
    kernel = converted.variables["params"]["layer1"]["block1"]["conv2"]["kernel"]
    np.testing.assert_array_equal(state.params["layer1"]["block1"]["conv2"]["kernel"], kernel)


NAMES = [f"action {index}" for index in range(made.CLASSES)]
SMALL = (f"--model={made.NAME}", "--option=width=4", "--option=depths=(1,0,0,0)")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return made.write_checkpoint(tmp_path_factory.mktemp("small") / "weights.safetensors")


def test_options_classes_and_colours_are_kept_with_the_weights(small, tmp_path):
    names = tmp_path / "names.csv"
    names.write_text("index,class\n" + "".join(f"{i},{name}\n" for i, name in enumerate(NAMES)))
    arguments = (*SMALL, "--option=shortcut=pad", "--mean=0.45,0.44,0.43", "--std=1,0.5,0.25")
    output = tmp_path / "weights"
    done = call(
        "convert", *arguments, f"--checkpoint={small}", f"--classes={names}", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    trained = open_weights(str(output))
    assert trained.options == {"width": 4, "depths": [1, 0, 0, 0], "shortcut": "pad"}
    assert trained.classes == trained.labels == tuple(NAMES)
    assert trained.preprocessing.mean == (0.45, 0.44, 0.43)
    assert trained.preprocessing.std == (1.0, 0.5, 0.25)
    clip = np.zeros((1, 2, 16, 16, 3), np.float32)
    assert trained.model.apply(trained.variables, clip, train=False).shape == (1, len(NAMES))
    # Folders from before classes were stored.
    facts = json.loads((output / "model.json").read_text())
    del facts["classes"]
    (output / "model.json").write_text(json.dumps(facts))
    assert open_weights(str(output)).classes is None


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--option=widht=8", "r3d_18 has no option 'widht': did you mean 'width'"),
        ("--option=num_classes=8", "r3d_18 has no option 'num_classes'"),
        ("--option=dropout=2", "dropout = 2: must be a number in [0, 1)"),
        ("--option=scan", "--option=scan: name=value is expected, such as width=16"),
        ("--mean=0.4,0.5", "--mean = (0.4, 0.5): must be 3 values, each a number in [-1000, 1000]"),
        ("--mean=a,b,c", "--mean = 'a,b,c': must be 3 values"),
        ("--std=1,1,0", "--std = (1.0, 1.0, 0.0): must be 3 values, each a number in (0, 1000]"),
        ("--classes={}/two.txt", "2 class names are given, but the network has 3 classes"),
        ("--classes={}/none.txt", "No such file or directory"),
        ("--inflate=mean", "only image ResNets with"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line_and_write_nothing(
    small, tmp_path, flag, message
):
    (tmp_path / "two.txt").write_text("walk\nrun\n")
    flags = (f"--checkpoint={small}", f"--output={tmp_path}/out", flag.format(tmp_path))
    assert message in refusal(call("convert", *SMALL, *flags))
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_are_refused(tmp_path):
    done = call(
        "train", "--config=configs/synthetic.py", f"--workdir={tmp_path}/run",
        f"--config.model.weights={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 2
    assert "names no weights" in done.stderr
