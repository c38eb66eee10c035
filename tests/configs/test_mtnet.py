"""Tests that the runs of MTNet's tables have the thesis' networks and training settings."""

import fractions
import importlib
import math

import pytest

from configs import mtconv, mtnet, mtnet_ablations, mtnet_transfer
from tests.configs import test_files
from tests.configs.traced import calls, config_of, of
from vidjax.methods.multi_temporal import MTConv
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.models.registry import create_model
from vidjax.training.schedules import learning_rate

SMOKES = [
    ("mtnet", "model=mtnet_s,dataset=hacs"),
    ("mtnet_ablations", "model=mtnet_m,delta=3/4,cell=lstm,pool=stochastic,frames=pooled"),
    ("mtnet_transfer", "model=mtnet_s,dataset=ucf101"),
    ("mtconv", "row=mtconv"),
    ("mtconv", "row=mfnet"),
    ("mtconv", "row=slowfast"),
]
POOLS = [(pool, "pooled") for pool in ("average", "max", "stochastic", "soft")]
POOLS += [("average", "selected"), ("soft", "selected")]


@pytest.mark.parametrize("module", [mtconv, mtnet, mtnet_ablations, mtnet_transfer])
def test_the_docstring_of_an_mtnet_file_is_complete_and_the_file_is_short(module):
    test_files.test_the_docstring_of_a_file_is_complete(module)
    test_files.test_a_file_is_short_and_imports_little(module)


@pytest.mark.parametrize(("name", "argument"), SMOKES[3:])
def test_the_smoke_version_of_mtnet_fits_its_clips(name, argument):
    module = importlib.import_module(f"configs.{name}")
    config = config_of(module, f"{argument},smoke=true")
    assert config.model.options["depths"] == [1, 1, 1, 1]
    assert calls(module, f"{argument},smoke=true")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), SMOKES)
def test_the_smoke_version_of_mtnet_trains(name, argument, tmp_path):
    test_files.test_the_smoke_version_trains(name, argument, tmp_path)


@pytest.mark.parametrize(
    ("model", "frames", "size"), [("mtnet_s", 13, 182), ("mtnet_m", 16, 256), ("mtnet_l", 16, 256)]
)
@pytest.mark.parametrize(
    ("dataset", "stride"), [("hacs", 2), ("kinetics400", 5), ("kinetics700", 5), ("mit", 3)]
)
def test_clips_are_those_of_section_5_4_1(model, frames, size, dataset, stride):
    config = config_of(mtnet, f"model={model},dataset={dataset}")
    assert config.model.name == model
    # Chapter 5 has the version of 2020 (3.2.3), chapter 4 that of 2019.
    names = {"mit": "moments_in_time", "kinetics700": "kinetics700_2020"}
    name = names.get(dataset, dataset)
    assert (config.data.name, config.data.manual_dir) == (name, f"videos/{name}")
    assert (config.clip.frames, config.clip.stride, config.clip.size) == (frames, stride, size)
    assert (config.clip.sampling, config.data.short_side) == ("normal_start", 320)
    assert (config.eval.clips, config.eval.crops, config.eval.size) == (10, 3, size)
    given = "weights/" + model if dataset == "kinetics700" else ""
    assert config.model.weights == given
    assert (config.augment.crop, config.augment.chain) == ("fixed", 0.7)
    # The crop is 256/320 of the short side at every size.
    assert size / config.augment.short_side == pytest.approx(256 / 320, abs=0.002)


def test_the_rate_rises_for_8000_steps_and_falls_along_a_cosine():
    config = config_of(mtnet, None)
    optimizer, train = config.optimizer, config.train
    assert (optimizer.momentum, optimizer.weight_decay, optimizer.nesterov) == (0.9, 5e-5, False)
    assert (train.duration, train.batch_size, train.train_only) == ("400 epochs", 64, "")
    schedule = learning_rate(config, total=108_000, steps_per_epoch=270)
    for step in (8000, 27_000, 54_000, 97_200):
        printed = 1.16 * 0.5 * (math.cos(step / 108_000 * math.pi) + 1)
        assert float(schedule(step)) == pytest.approx(printed, rel=1e-4)
    top = float(schedule(8000))
    rise = [float(schedule(step)) for step in (0, 4000, 7999)]
    assert rise == pytest.approx([0, top / 2, top * 7999 / 8000])


def test_mtblocks_have_three_mtconvs_and_two_recurrent_layers():
    argument = "model=mtnet_m,smoke=true"
    convs = of(MTConv, mtnet_ablations, argument)
    ends = ("conv1", "conv2", "conv3")
    assert set(convs) == {f"layer{n}/block1/{end}" for n in (1, 2, 3, 4) for end in ends}
    assert {module.delta for module in convs.values()} == {7 / 8}
    assert {(module.pool, module.frames) for module in convs.values()} == {("soft", "selected")}
    aligns = of(SqueezeRecursion, mtnet_ablations, argument)
    assert {path.split("/")[0] for path in aligns} == {f"layer{n}" for n in (1, 2, 3, 4)}
    assert {(module.cell, module.layers) for module in aligns.values()} == {("gru", 2)}


def test_settings_of_an_ablation_apply_to_every_block():
    argument = "delta=3/4,cell=peephole_lstm,pool=average,frames=pooled,smoke=true"
    convs = of(MTConv, mtnet_ablations, argument).values()
    found = {(module.delta, module.pool, module.frames) for module in convs}
    assert found == {(3 / 4, "average", "pooled")}
    aligns = of(SqueezeRecursion, mtnet_ablations, argument).values()
    assert [module.cell for module in aligns] == ["peephole_lstm"] * 4


@pytest.mark.parametrize("delta", ["1", "7/8", "3/4", "5/8", "1/2", "3/8", "1/4"])
def test_table_5_6_has_seven_shares(delta):
    config = config_of(mtnet_ablations, f"model=mtnet_l,delta={delta}")
    assert config.model.options["delta"] == float(fractions.Fraction(delta))
    assert config.data.name == "hacs"
    assert create_model(config.model.name, **config.model.options)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "peephole_lstm", "gru"])
def test_table_5_7_has_four_cells(cell):
    config = config_of(mtnet_ablations, f"model=mtnet_s,cell={cell}")
    assert (config.model.options["cell"], config.clip.frames) == (cell, 13)
    assert create_model(config.model.name, **config.model.options)


@pytest.mark.parametrize(("pool", "frames"), POOLS)
def test_table_5_8_has_six_ways_to_halve(pool, frames):
    options = config_of(mtnet_ablations, f"pool={pool},frames={frames}").model.options
    assert (options["pool"], options["frames"], options["delta"]) == (pool, frames, 7 / 8)
    assert create_model("mtnet_m", **options)


@pytest.mark.parametrize(
    ("row", "model", "frames"),
    [
        ("r3d", "r3d_50_e1", 16),
        ("r2plus1d", "r2plus1d_50_e1", 16),
        ("mfnet", "mfnet", 16),
        ("slowonly", "slowonly_50", 4),
        ("slowfast", "slowfast_50_4x16", 32),
        ("mtconv", "r3d_50_e1", 16),
    ],
)
def test_table_5_2_trains_all_networks_alike(row, model, frames):
    config = config_of(mtconv, f"row={row}")
    assert (config.model.name, config.clip.frames, config.clip.size) == (model, frames, 224)
    more = {"multi_temporal": {}} if row == "mtconv" else {}
    assert config.model.options == {"dropout": 0.5} | more
    assert create_model(model, **config.model.options)
    assert config.data.name == "kinetics400"
    other = config_of(mtnet, "dataset=kinetics400")
    assert (config.train, config.optimizer) == (other.train, other.optimizer)
    assert (config.schedule, config.clip.sampling) == (other.schedule, "normal_start")
    assert (config.augment.chain, config.augment.short_side) == (0.7, 320)


def test_mtconvs_replace_the_convolutions_in_space_and_time():
    convs = of(MTConv, mtconv, "row=mtconv,smoke=true")
    assert set(convs) == {f"layer{n}/block1/conv2" for n in (1, 2, 3, 4)}
    assert {module.delta for module in convs.values()} == {7 / 8}
    options = config_of(mtconv, "delta=1/2,kernels=factorised").model.options
    assert options["multi_temporal"] == {"delta": 0.5, "kernels": "factorised"}


def test_equation_5_2_gives_both_branches_the_whole_input():
    options = config_of(mtconv, "split_input=false").model.options
    assert options["multi_temporal"] == {"split_input": False}
    convs = of(MTConv, mtconv, "split_input=false,smoke=true")
    assert {module.split_input for module in convs.values()} == {False}


def test_dropout_is_that_of_x3d_if_more_than_the_classifier_is_trained():
    """Section 5.4.1: all settings that it does not state are X3D's."""
    for module, argument in ((mtnet, "model=mtnet_l"), (mtnet_ablations, "cell=rnn")):
        config = config_of(module, argument)
        assert create_model(config.model.name, **config.model.options).dropout == 0.5
    assert config_of(mtnet_transfer, None).model.options == {}


@pytest.mark.parametrize("module", [mtnet, mtnet_ablations])
def test_time_is_kept_on_request(module):
    assert not config_of(module, None).model.options.get("keep_time")
    options = config_of(module, "keep_time=true").model.options
    assert (options["keep_time"], options["dropout"]) == (True, 0.5)


def test_transfer_of_table_5_9_trains_the_classifier_of_given_weights_alone():
    config = config_of(mtnet_transfer, "model=mtnet_s,dataset=ucf101,fold=3")
    assert (config.train.train_only, config.model.weights) == ("head", "weights/mtnet_s")
    assert (config.data.name, config.data.options) == ("ucf101", {"split": 3})
    assert config.eval.split == "test"
    assert (config.clip.frames, config.clip.size, config.eval.size) == (13, 182, 182)
    assert (config.augment.chain, config.augment.member) == (0.7, 0.4)
    schedule = learning_rate(config, total=800, steps_per_epoch=10)
    found = [float(schedule(step)) for step in (0, 395, 405, 605)]
    assert found == pytest.approx([1e-2, 1e-2, 1e-3, 1e-4])
    assert not config_of(mtnet_transfer, "smoke=true").model.weights


@pytest.mark.parametrize(
    ("module", "argument", "message"),
    [
        (mtnet, "model=mtnet_xl", "model = 'mtnet_xl': must be one of mtnet_s, mtnet_m, mtnet_l"),
        (mtnet, "dataset=ucf101", "dataset = 'ucf101': must be one of hacs"),
        (
            mtnet_ablations,
            "delta=0.9",
            "delta = '0.9': must be one of 1, 7/8, 3/4, 5/8, 1/2, 3/8, 1/4",
        ),
        (mtconv, "row=r3d_50", "row = 'r3d_50': must be one of r3d, r2plus1d, mfnet, slowonly"),
        (mtconv, "row=r3d,delta=1/2", "row = 'r3d' has no delta; only row=mtconv has"),
        (
            mtconv,
            "row=r3d,split_input=false",
            "row = 'r3d' has no split_input; only row=mtconv has",
        ),
    ],
)
def test_the_error_for_an_unknown_argument_of_mtnet_lists_the_known_ones(module, argument, message):
    with pytest.raises(ValueError, match=message):
        module.get_config(argument)
