"""Tests the axes that a sweep's command line gives, and their combinations."""

import itertools

import pytest

from configs import synthetic
from experiments.config_overrides import overridden
from experiments.sweep import optuna_space as spaces
from experiments.sweep.axes import combinations, read_axes, short_names, split_values
from experiments.sweep.combination import combined
from experiments.sweep.optuna_search import corners
from vidjax.run.config import ConfigError, from_mapping


def test_grids_form_a_product_and_lists_vary_together():
    axes = read_axes(
        ["optimizer.lr=0.1,0.03 train.duration=20 epochs,400 steps", "seed=1"],
        ["clip.frames=8,16 clip.stride=4,2"],
    )
    found = combinations(axes)
    expected = itertools.product(
        ("0.1", "0.03"), ("20 epochs", "400 steps"), ("1",), (("8", "4"), ("16", "2"))
    )
    assert found == [
        {
            "optimizer.lr": lr,
            "train.duration": duration,
            "seed": seed,
            "clip.frames": frames,
            "clip.stride": stride,
        }
        for lr, duration, seed, (frames, stride) in expected
    ]


def test_commas_within_brackets_and_quotes_belong_to_a_value():
    text = "(1,3,3),(3,7,7), {'a':(1,2)} ,'x,y'"
    assert split_values(text) == ["(1,3,3)", "(3,7,7)", "{'a':(1,2)}", "'x,y'"]


@pytest.mark.parametrize(
    ("grids", "lists", "message"),
    [
        (["0.1"], [], "--grid=0.1: must be a setting with values"),
        (["a.b=1,,2"], [], "a value of a.b is empty"),
        (["a.b=1,2,1"], [], "a.b has the value 1 twice"),
        (["a.b=1", "a.b=2"], [], "a.b is varied twice"),
        (["a.b=1"], ["a.b=2"], "a.b is varied twice"),
        ([], ["a.b=1,2", "a.c=1,2,3"], "a.b has 2 values and a.c has 3"),
    ],
)
def test_invalid_settings_are_refused(grids, lists, message):
    with pytest.raises(ValueError, match=message):
        read_axes(grids, lists)


def test_values_are_parsed_as_on_the_command_line():
    given = {
        "optimizer.lr": "1",
        "optimizer.nesterov": "true",
        "train.batch_size": "8",
        "schedule.name": "step",
        "schedule.boundaries": "('50%','75%')",
        "model.options.stem_kernel": "(1,3,3)",
        "model.options.random_scaling.target": "input",
        "model.mean": "(0.5,0.5,0.5)",
        "data.fps": "12.5",
        "model.name": "r3d_34",
    }
    base = synthetic.get_config()
    before = from_mapping(base)
    config = from_mapping(overridden(base, given))
    assert config.optimizer.lr == 1.0
    assert config.optimizer.nesterov is True
    assert config.schedule.boundaries == ("50%", "75%")
    assert config.model.options == {
        "stem_kernel": [1, 3, 3],
        "random_scaling": {"target": "input"},
    }
    assert config.model.mean == (0.5, 0.5, 0.5)
    assert (config.data.fps, config.model.name) == (12.5, "r3d_34")
    # The base configuration is unchanged.
    assert from_mapping(base) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train.learning_rate": "0.1"}, "train.learning_rate is not .* mean 'optimizer.lr'?"),
        ({"train.lr": "0.1"}, "train.lr is not a setting; did you mean 'optimizer.lr'?"),
        ({"optimzer.lr": "0.1"}, "config.optimzer is not a setting; did you mean 'optimizer'?"),
        ({"optimizer.lr": "much"}, "config.optimizer.lr=much: could not convert"),
        ({"optimizer.lr": "-1"}, r"optimizer.lr = -1.0: must be a number in \[0, 1000000\]"),
        ({"train.batch_size": "0.5"}, "config.train.batch_size=0.5"),
        ({"seed": "3"}, "seed cannot be varied like other settings; use --seeds"),
        ({"eval.split": "val"}, "eval.split cannot be varied .* use --split"),
    ],
)
def test_every_combination_is_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        combined(synthetic.get_config(), [{"optimizer.momentum": "0.5"}, settings], "test")


def test_equal_combinations_are_refused():
    with pytest.raises(ConfigError, match=r"lr=0.1 and lr=0.10 are the same"):
        combined(
            synthetic.get_config(), [{"optimizer.lr": "0.1"}, {"optimizer.lr": "0.10"}], "test"
        )


def test_names_are_short_and_unambiguous():
    paths = ["optimizer.lr", "train.batch_size", "model.options.width", "schedule.name"]
    short = short_names(paths)
    # The evaluation has a batch size too.
    assert list(short.values()) == ["lr", "train.batch_size", "width", "schedule.name"]
    settings = [{"optimizer.lr": "0.1", "model.options.stem_kernel": "(1,3,3)"}]
    (one,) = combined(synthetic.get_config(), settings, "val")
    assert one.name == "lr=0.1, stem_kernel=(1,3,3)"
    assert one.folder == "lr=0.1,stem_kernel=(1,3,3)"
    assert one.config.eval.split == "val"
    (odd,) = combined(synthetic.get_config(), [{"data.manifest": "../a:b|c"}], "val")
    assert "/" not in odd.folder


def test_spaces_are_ranges_and_choices():
    space = spaces.read_space(
        ["optimizer.lr=log:0.001:0.3", "train.batch_size=int:4:16", "schedule.name=cosine,step"]
    )
    assert space["optimizer.lr"] == spaces.Range(0.001, 0.3, log=True)
    assert space["train.batch_size"].ends == ("4", "16")
    assert space["schedule.name"].ends == ("cosine", "step")
    found = corners(synthetic.get_config(), space, "val")
    assert [each.config.optimizer.lr for each in found] == [0.001, 0.3]
    assert [each.config.train.batch_size for each in found] == [4, 16]
    momentum = spaces.read_space(["optimizer.momentum=0.5:1.5"])
    with pytest.raises(ConfigError, match="optimizer.momentum = 1.5"):
        corners(synthetic.get_config(), momentum, "val")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lr", "must be a setting and a range"),
        ("optimizer.lr=0.1", "must have a range or several different values"),
        ("optimizer.lr=a,a", "must have a range or several different values"),
        ("optimizer.lr=0.3:0.1", "0.3 is not below 0.1"),
        ("optimizer.lr=log:0:1", "a log range must start above 0"),
        ("train.batch_size=int:1:2.5", "an int range must have whole numbers"),
    ],
)
def test_an_invalid_space_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        spaces.read_space([text])
