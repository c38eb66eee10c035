import importlib
import pkgutil

import pytest

import configs
from configs import common, demo, folder
from vidjax.data.multigrid import Multigrid
from vidjax.data.pipeline import Augmentation, ClipShape
from vidjax.run.config import ConfigError, from_mapping, to_mapping
from vidjax.run.durations import steps

SHARED = ("class_reg_runs", "common", "rms_recipe", "rms_rows", "thesis")
NAMES = [m.name for m in pkgutil.iter_modules(configs.__path__) if m.name not in SHARED]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("argument", [None, "smoke=true"])
def test_every_config_file_is_complete_and_has_a_smoke_version(name, argument):
    module = importlib.import_module(f"configs.{name}")
    config = from_mapping(module.get_config(argument))
    assert from_mapping(to_mapping(config)) == config
    assert "\n    vidjax " in module.__doc__
    if argument:
        assert config.data.name == "marionette"


def changed(**changes):
    config = demo.get_config().to_dict()
    for path, value in changes.items():
        group, _, key = path.partition("__")
        target = config[group] if key else config
        target[key or group] = value
    return config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer__learning_rate": 1.0}, "config.optimizer.learning_rate is not a setting"),
        ({"optimzer": 1}, "did you mean 'optimizer'"),
        (
            {"train__batch_size": "many"},
            "config.train.batch_size = 'many': a whole number is expected",
        ),
        ({"train__batch_size": True}, "batch_size = True"),
        ({"augment__scale": (0.1, 0.2, 0.3)}, "2 values are expected"),
        ({"optimizer__name": " "}, "optimizer.name = ' ': must be a name"),
        ({"dtype": "float16"}, "dtype = 'float16': must be one of float32, bfloat16"),
        ({"train__accumulate": 5}, "batch_size = 16 is not divisible by train.accumulate = 5"),
        ({"clip__frames": 0}, "clip.frames = 0"),
        ({"augment__crop": "whole"}, "augment.crop = 'whole': must be one of area, fixed"),
        ({"model": 3}, "a group of settings"),
    ],
)
def test_errors_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        from_mapping(changed(**changes))


def test_a_short_side_smaller_than_the_crop_is_refused():
    config = changed(augment__crop="fixed", augment__short_side=40, clip__size=48)
    with pytest.raises(ConfigError, match="augment.short_side = 40 is less than clip.size = 48"):
        from_mapping(config)


def test_settings_added_later_have_the_behaviour_of_older_runs():
    config = demo.get_config().to_dict()
    old = {key: config["augment"][key] for key in ("scale", "ratio", "flip", "color")}
    del config["eval"]["short_side"]
    opened = from_mapping(config | {"augment": old})
    assert opened == from_mapping(demo.get_config())
    augment = opened.augment
    assert (augment.chain, augment.crop, augment.short_side) == (0.0, "area", 0)
    assert (augment.device, augment.flip_sided) == (False, False)


def test_a_missing_group_has_its_defaults():
    config = demo.get_config().to_dict()
    del config["schedule"]
    assert from_mapping(config).schedule.warmup == common.base().schedule.warmup


def test_classes_and_defaults_agree():
    config = from_mapping(common.base())
    assert (config.clip, config.augment, config.multigrid) == (
        ClipShape(),
        Augmentation(),
        Multigrid(),
    )


def test_arguments_after_the_colon():
    model = folder.get_config("model=r3d_50,width=8").model
    assert model.name == "r3d_50"
    assert model.options.to_dict() == {"width": 8}
    assert common.parse("smoke", smoke=False).smoke is True
    with pytest.raises(ValueError, match="argument 'wdith' is unknown: did you mean 'width'"):
        folder.get_config("wdith=8")
    with pytest.raises(ValueError, match="width='wide': must be of type int"):
        folder.get_config("width=wide")


def test_integers_are_accepted_as_floats():
    assert from_mapping(changed(optimizer__lr=1)).optimizer.lr == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("400 steps", 400),
        ("1 step", 1),
        ("2.5 epochs", 25),
        ("5%", 10),
        ("0 steps", 0),
        ("0.1%", 1),
    ],
)
def test_durations(text, expected):
    assert steps(text, steps_per_epoch=10.0, total=200) == expected


@pytest.mark.parametrize("text", ["soon", "5", "-3 steps", "5 % of it"])
def test_unreadable_durations_are_named(text):
    with pytest.raises(ValueError, match=f"duration '{text}'"):
        steps(text, steps_per_epoch=1.0, total=5)
    with pytest.raises(ValueError, match="the whole run needs steps or epochs"):
        steps("5%", steps_per_epoch=1.0)


@pytest.mark.parametrize(
    ("setting", "value"), [("class_weights", "balanced"), ("sampling", "balanced")]
)
def test_class_weights_and_balancing_are_refused_for_multi_label_data(setting, value):
    config = changed(**{f"train__{setting}": value})
    from_mapping(config)
    config["data"]["multi_label"] = True
    message = f"train.{setting} = 'balanced' with data.multi_label = True: "
    with pytest.raises(ConfigError, match=message):
        from_mapping(config)
