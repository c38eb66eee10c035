"""Tests that the runs of SRTG's tables have the thesis' networks and training settings."""

import jax
import pytest

from configs import mtnet, mtnet_transfer, srtg, srtg_transfer, thesis
from tests.configs import test_files
from tests.configs.traced import calls, config_of, of
from vidjax.data.multigrid import cycles
from vidjax.methods.temporal_gates import TemporalGate
from vidjax.models.registry import create_model
from vidjax.training.plan import base_shape
from vidjax.training.schedules import learning_rate

DEPTHS = ("34", "50", "101")
BACKBONES = [f"{kind}_{depth}" for kind in ("r3d", "r2plus1d") for depth in DEPTHS]
SMOKES = [
    ("srtg", "model=srtg_r3d_34,dataset=hacs"),
    ("srtg", "model=srtg_r2plus1d_50,gate=hard,gate_warmup_steps=6"),
    ("srtg", "model=srtg_r3d_34,srtg=none,schedule=released"),
    ("srtg_transfer", "model=srtg_r3d_34,dataset=hmdb51,fold=2"),
]


def rates(config, epochs, length):
    """Returns the learning rate in the middle of each epoch, counted from 0."""
    schedule = learning_rate(config, total=length * 10, steps_per_epoch=10)
    return [float(schedule(epoch * 10 + 5)) for epoch in epochs]


@pytest.mark.parametrize("module", [srtg, srtg_transfer])
def test_the_docstring_of_an_srtg_file_is_complete_and_the_file_is_short(module):
    test_files.test_the_docstring_of_a_file_is_complete(module)
    test_files.test_a_file_is_short_and_imports_little(module)


def test_the_shared_file_of_the_thesis_is_short():
    test_files.test_a_file_is_short_and_imports_little(thesis)


@pytest.mark.parametrize(("name", "argument"), SMOKES[1:])
def test_the_smoke_version_of_srtg_fits_its_clips(name, argument):
    test_files.test_the_smoke_version_fits_its_clips(name, argument)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), SMOKES)
def test_the_smoke_version_of_srtg_trains(name, argument, tmp_path):
    test_files.test_the_smoke_version_trains(name, argument, tmp_path)


def test_every_block_of_34_layers_has_a_gate_that_always_fuses():
    gates = of(TemporalGate, srtg, "model=srtg_r3d_34,dataset=hacs")
    blocks = enumerate((3, 4, 6, 3), start=1)
    expected = {(f"layer{n}", f"block{k}") for n, count in blocks for k in range(1, count + 1)}
    assert {tuple(path.split("/")[:2]) for path in gates} == expected
    assert len(gates) == 16
    assert {(gate.gate, gate.cell, gate.layers) for gate in gates.values()} == {("none", "lstm", 2)}


@pytest.mark.parametrize(
    ("placement", "before", "after"),
    [
        ("start", "layer3/block1", "layer3/block1/conv1"),
        ("mid", "layer3/block1/norm1", "layer3/block1/conv2"),
        ("res", "layer3/block1/shortcut", "layer4"),
        ("final", "layer3/block1/shortcut", "layer4"),
    ],
)
def test_table_4_1_places_gates_where_figure_4_5_has_them(placement, before, after):
    seen = calls(srtg, f"srtg={placement},smoke=true")
    inside = ("squeeze_recursion", "shortcut/")
    order = [path for path, _ in seen if not any(part in path for part in inside)]
    gates = list(of(TemporalGate, srtg, f"srtg={placement},smoke=true"))
    assert len(gates) == 4
    at = order.index(gates[2])
    assert (order[at - 1], order[at + 1]) == (before, after)
    assert config_of(srtg, f"srtg={placement}").model.options == {"srtg": placement}


def test_a_hard_gate_and_its_warm_up_reach_every_gate():
    argument = "model=srtg_r2plus1d_50,gate=hard,gate_warmup_steps=6,smoke=true"
    gates = of(TemporalGate, srtg, argument).values()
    assert [(gate.gate, gate.gate_warmup_steps) for gate in gates] == [("hard", 6)] * 4


@pytest.mark.parametrize("backbone", BACKBONES)
def test_each_network_of_table_4_5_has_a_baseline_without_gates(backbone):
    gated = config_of(srtg, f"model=srtg_{backbone}").model
    plain = config_of(srtg, f"model={backbone}_e1").model
    assert (plain.name, plain.options) == (f"{backbone}_e1", {})
    for model in (f"srtg_{backbone}", f"{backbone}_e1"):
        assert config_of(srtg, f"model={model},srtg=none").model == plain
    assert all(slot.gate is not None for slot in create_model(gated.name).slots)
    assert all(slot.gate is None for slot in create_model(plain.name).slots)


@pytest.mark.parametrize(
    ("dataset", "stride", "weights"),
    [
        ("hacs", 2, ""),
        ("kinetics400", 5, ""),
        ("kinetics700", 5, "weights/srtg_r3d_34"),
        ("mit", 3, ""),
    ],
)
def test_clips_and_views_are_those_of_section_4_4_1(dataset, stride, weights):
    config = config_of(srtg, f"dataset={dataset}")
    name = "moments_in_time" if dataset == "mit" else dataset
    assert (config.data.name, config.data.manual_dir) == (name, f"videos/{name}")
    assert (config.clip.frames, config.clip.stride, config.clip.size) == (16, stride, 224)
    assert (config.clip.sampling, config.data.short_side) == ("dense", 320)
    assert (config.eval.clips, config.eval.crops, config.eval.size) == (10, 3, 256)
    assert config.model.weights == weights
    assert not config_of(srtg, f"dataset={dataset},smoke=true").model.weights


@pytest.mark.parametrize(
    ("module", "dataset", "chain"),
    [
        (srtg, "hacs", (0.8, 0.4)),
        (srtg, "kinetics700", (0.8, 0.4)),
        (srtg, "mit", (0.8, 0.4)),
        (srtg_transfer, "ucf101", (0.8, 0.4)),
        (srtg_transfer, "hmdb51", (0.8, 0.4)),
    ],
)
def test_a_crop_of_224_from_a_short_side_of_320_is_augmented_by_the_chain(module, dataset, chain):
    config = config_of(module, f"dataset={dataset}")
    augment = config.augment
    assert (augment.crop, augment.short_side, config.clip.size) == ("fixed", 320, 224)
    assert (augment.chain, augment.member) == chain
    assert (augment.flip, augment.color) == (0.5, 0.0)


def test_the_learning_rate_follows_the_thesis_and_its_code():
    config = config_of(srtg, None)
    found = rates(config, (0, 39, 40, 69, 70, 119, 120, 149), 150)
    assert found == pytest.approx([0.1, 0.1, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])
    assert (config.train.duration, config.train.batch_size) == ("150 epochs", 32)
    optimizer = config.optimizer
    assert (optimizer.momentum, optimizer.weight_decay, optimizer.nesterov) == (0.9, 1e-5, False)
    config = config_of(srtg, "schedule=released")
    found = rates(config, (39, 40, 60, 75, 89, 90), 120)
    assert found == pytest.approx([0.1, 1e-2, 1e-3, 1e-4, 1e-4, 1e-5])
    assert (config.train.duration, config.train.batch_size) == ("120 epochs", 48)
    assert (config.optimizer.weight_decay, config.optimizer.nesterov) == (1e-4, True)
    assert (config.clip.size, config.augment.chain) == (284, 0.9)


@pytest.mark.parametrize("module", [srtg, srtg_transfer, mtnet])
def test_weight_decay_applies_to_recurrent_weights_too(module):
    optimizer = config_of(module, None).optimizer
    assert (optimizer.decay_recurrent, optimizer.decay_norm_and_bias) == (True, False)


@pytest.mark.parametrize("module", [srtg_transfer, mtnet_transfer])
def test_transfer_is_to_the_first_fold(module):
    """Section 3.2.2: all experiments use the first split."""
    assert config_of(module, None).data.options == {"split": 1}
    assert "3.2.2" in module.__doc__


@pytest.mark.parametrize("dataset", ["ucf101", "hmdb51"])
def test_transfer_trains_the_classifier_of_given_weights_alone(dataset):
    config = config_of(srtg_transfer, f"model=srtg_r3d_50,dataset={dataset},fold=2")
    assert (config.train.train_only, config.model.weights) == ("head", "weights/srtg_r3d_50")
    found = rates(config, (0, 39, 40, 59, 60, 79), 80)
    assert found == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])
    assert config.train.duration == "80 epochs"
    assert (config.data.name, config.data.options) == (dataset, {"split": 2})
    assert config.eval.split == "test"
    assert (config.clip.frames, config.clip.size) == (16, 224)
    assert not config_of(srtg_transfer, "smoke=true").model.weights


@pytest.mark.parametrize(
    ("module", "argument", "message"),
    [
        (
            srtg,
            "dataset=ucf101",
            "dataset = 'ucf101': must be one of hacs, kinetics400, kinetics700, mit",
        ),
        (srtg, "schedule=fast", "schedule = 'fast': must be one of thesis, released"),
        (srtg_transfer, "dataset=hacs", "dataset = 'hacs': must be one of ucf101, hmdb51"),
        (srtg_transfer, "fold=4", "fold = 4: must be one of 1, 2, 3"),
    ],
)
def test_the_error_for_an_unknown_argument_of_srtg_lists_the_known_ones(module, argument, message):
    with pytest.raises(ValueError, match=message):
        module.get_config(argument)


def test_a_gate_in_a_network_without_any_is_refused():
    model = config_of(srtg, "srtg=none,gate=hard").model
    with pytest.raises(ValueError, match="gate = 'hard' without srtg"):
        create_model(model.name, **model.options)


@pytest.mark.parametrize(
    ("multigrid", "cycle", "over", "anchor", "epochs"),
    [
        ("thesis", "both", "epoch", "largest", "150 epochs"),
        ("official", "both", "stage", "default", "225 epochs"),
        ("none", "none", None, None, "150 epochs"),
    ],
)
def test_the_multigrid_of_a_run(multigrid, cycle, over, anchor, epochs):
    config = config_of(srtg, f"model=srtg_r3d_34,dataset=hacs,multigrid={multigrid}")
    assert config.multigrid.cycle == cycle
    assert over in (None, config.multigrid.over)
    assert anchor in (None, config.multigrid.anchor)
    assert config.train.duration == epochs


@pytest.mark.parametrize("gate", ["none", "hard"])
def test_gates_accept_the_smallest_clips_of_the_multigrid(gate):
    config = config_of(srtg, f"model=srtg_r3d_34,dataset=hacs,gate={gate}")
    base = base_shape(config)
    (smallest, *_), *_ = cycles(config.multigrid, base)
    assert (smallest.frames, smallest.size) == (4, 112)
    # Three of the stages halve time, so of 4 frames the last two stages have one.
    options = config.model.options | {"width": 8, "depths": (1, 1, 1, 1)}
    model = create_model(config.model.name, num_classes=5, **options)
    clip = jax.ShapeDtypeStruct((2, 4, 112, 112, 3), "float32")
    key = jax.random.key(0)
    variables = jax.eval_shape(lambda x: model.init(key, x, train=False), clip)
    rngs = {"noise": key, "dropout": key}
    logits, _ = jax.eval_shape(
        lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"], rngs=rngs),
        variables,
        clip,
    )
    assert logits.shape == (2, 5)
