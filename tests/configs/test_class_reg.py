"""Tests Class Regularization's configuration against the settings that the papers state."""

import pytest

from configs import class_reg, mtnet
from tests.configs.traced import config_of, of
from tests.documented import typed_in
from vidjax.methods.class_regularization import ClassRegularization
from vidjax.training.schedules import learning_rate

RATES = (0.9, 0.8, 0.7, 0.6)


@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        ("r3d_50_e1", (3, 4, 6, 3)),
        ("r2plus1d_50_e1", (3, 4, 6, 3)),
        ("wide_r3d_50_e1", (3, 4, 6, 3)),
        ("r3d_101_e1", (3, 4, 23, 3)),
        pytest.param("r3d_101", (3, 4, 23, 3), marks=pytest.mark.slow),
        ("wide_r3d_50", (3, 4, 6, 3)),
        ("i3d", (2, 5, 2)),
    ],
)
def test_class_regularization_is_after_stages_and_by_request_after_blocks(model, blocks):
    rates = RATES[-len(blocks) :]
    for variant, relu in (("thesis", True), ("icip", False)):
        found = of(ClassRegularization, class_reg, f"model={model},variant={variant}").values()
        assert [module.affection for module in found] == list(rates)
        assert {(module.relu, module.bounds) for module in found} == {(relu, "symmetric")}
    argument = f"model={model},variant=icip,after=block,bounds=unit"
    found = of(ClassRegularization, class_reg, argument).values()
    expected = [rate for rate, count in zip(rates, blocks, strict=True) for _ in range(count)]
    assert [module.affection for module in found] == expected
    assert {(module.relu, module.bounds) for module in found} == {(False, "unit")}
    assert "class_reg" not in config_of(class_reg, f"model={model},baseline=true").model.options


def test_class_regularization_is_trained_alone_or_with_the_network():
    alone, together = (config_of(class_reg, argument) for argument in ("tune=true", None))
    assert (alone.train.train_only, alone.model.weights) == ("class_reg", "weights/r3d_50_e1")
    assert (together.train.train_only, together.model.weights) == ("", "")
    assert alone.optimizer.lr == together.optimizer.lr == 0.1


@pytest.mark.parametrize(
    ("argument", "epochs", "batch"),
    [
        ("variant=thesis", 120, 16),
        ("variant=thesis,dataset=hacs,model=mtnet_m", 120, 16),
        ("variant=icip", 170, 32),
        ("variant=icip,dataset=ucf101", 100, 32),
        ("variant=icip,dataset=hmdb51,model=i3d", 100, 32),
    ],
)
def test_runs_are_as_long_and_batches_as_large_as_the_works_say(argument, epochs, batch):
    train = config_of(class_reg, argument).train
    assert (train.duration, train.batch_size) == (f"{epochs} epochs", batch)


@pytest.mark.parametrize(
    ("argument", "drops", "lr"),
    [
        ("variant=thesis", (50, 100), 0.1),
        ("variant=icip", (50, 100, 150), 0.1),
        ("variant=icip,dataset=ucf101", (70,), 1e-3),
        ("variant=icip,dataset=hmdb51,rate=scratch", (50,), 0.1),
        ("model=mtnet_l", (70,), 1e-3),
        ("model=mtnet_l,tune=true", (50, 100), 0.1),
        ("model=mtnet_l,dataset=hacs", (50, 100), 0.1),
        ("variant=icip,rate=finetune", (70, 140), 1e-3),
    ],
)
def test_rates_fall_to_a_tenth_every_50_epochs_or_every_70_of_fine_tuning(argument, drops, lr):
    config = config_of(class_reg, argument)
    epochs = int(config.train.duration.split()[0])
    schedule = learning_rate(config, total=10 * epochs, steps_per_epoch=10)
    for epoch in range(epochs):
        expected = lr / 10 ** sum(drop <= epoch for drop in drops)
        assert float(schedule(10 * epoch + 5)) == pytest.approx(expected)
    assert config.optimizer.weight_decay == 1e-5
    assert (config.optimizer.name, config.optimizer.momentum) == ("sgd", 0.9)


@pytest.mark.parametrize(
    ("argument", "weights"),
    [
        ("variant=icip,dataset=ucf101,model=r3d_101", "weights/r3d_101"),
        ("variant=icip,dataset=hmdb51,model=i3d,baseline=true", "weights/i3d"),
        ("model=mtnet_s", "weights/mtnet_s"),
        ("model=mtnet_s,dataset=hacs", ""),
        ("model=mtnet_s,smoke=true", ""),
        ("variant=icip,model=r3d_101", ""),
    ],
)
def test_small_data_sets_start_from_kinetics_and_mtnets_on_kinetics_from_hacs(argument, weights):
    assert config_of(class_reg, argument).model.weights == weights


@pytest.mark.parametrize(
    ("dataset", "stride", "split", "options"),
    [
        ("kinetics400", 5, "val", {}),
        ("hacs", 2, "val", {}),
        ("ucf101", 5, "test", {"split": 1}),
        ("ucf101,split=3", 5, "test", {"split": 3}),
        ("hmdb51,split=2", 3, "test", {"split": 2}),
    ],
)
@pytest.mark.parametrize("variant", ["thesis", "icip"])
def test_data_sets_are_named_with_their_splits(variant, dataset, stride, split, options):
    config = config_of(class_reg, f"variant={variant},dataset={dataset}")
    name = dataset.partition(",")[0]
    assert (config.data.name, config.data.manual_dir) == (name, f"videos/{name}")
    assert (config.data.options, config.eval.split) == (options, split)
    assert config.clip.stride == stride


@pytest.mark.parametrize("variant", ["thesis", "icip"])
@pytest.mark.parametrize(
    ("argument", "frames", "size"),
    [
        ("model=r3d_50_e1", 16, 112),
        ("model=r3d_101,dataset=ucf101", 16, 224),
        ("model=wide_r3d_50,dataset=hmdb51", 16, 224),
        ("model=mtnet_s", 13, 182),
        ("model=mtnet_m,dataset=hacs", 16, 256),
        ("model=mtnet_l", 16, 256),
    ],
)
def test_clips_have_the_sizes_that_the_tables_print(variant, argument, frames, size):
    config = config_of(class_reg, f"{argument},variant={variant}")
    assert (config.clip.frames, config.clip.size) == (frames, size)
    assert config.data.short_side >= max(size, config.augment.short_side)
    assert (config.eval.clips, config.eval.crops) == (10, 3)


def test_the_thesis_augments_as_in_the_previous_chapter():
    config = config_of(class_reg, "variant=thesis")
    chapter5 = config_of(mtnet, "model=mtnet_m")
    for name in ("sampling", "fit", "stride"):
        expected = 5 if name == "stride" else getattr(chapter5.clip, name)
        assert getattr(config.clip, name) == expected
    for name in ("crop", "chain", "member", "flip"):
        assert getattr(config.augment, name) == getattr(chapter5.augment, name)
    share = config.clip.size / config.augment.short_side
    assert share == chapter5.clip.size / chapter5.augment.short_side == 0.8
    assert config.eval.size == config.clip.size
    icip = config_of(class_reg, "variant=icip")
    assert (icip.clip.sampling, icip.augment.chain, icip.augment.crop) == ("dense", 0, "area")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("variant=paper", "variant = 'paper': must be one of thesis, icip"),
        ("dataset=mit", "dataset = 'mit': must be one of kinetics400, hacs, ucf101, hmdb51"),
        ("dataset=ucf101,split=4", "split = 4: must be one of 1, 2, 3"),
        ("split=2", "split = 2: kinetics400 has one split; ucf101 and hmdb51 have 1, 2 and 3"),
        ("rate=1e-3", "rate = '1e-3': must be one of scratch, finetune"),
        (
            "baseline=true,tune=true",
            "baseline=true leaves out the method that tune, after and bounds change",
        ),
        (
            "baseline=true,bounds=unit",
            "baseline=true leaves out the method that tune, after and bounds",
        ),
    ],
)
def test_invalid_settings_are_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        class_reg.get_config(argument)


def test_the_commands_of_the_documentation_name_existing_runs():
    typed = [each for each in typed_in("docs/class_regularization.md") if each.module]
    trained = [
        each
        for each in typed
        if each.module == "experiments.train" and each.arguments[0].startswith("--config=class_reg")
    ]
    assert len(trained) == 2
    for each in trained:
        name, _, argument = each.arguments[0].removeprefix("--config=").partition(":")
        assert name == "class_reg"
        config = config_of(class_reg, argument)
        assert config.data.name == "ucf101"
        assert config.model.weights
