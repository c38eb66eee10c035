"""Tests options of all networks and methods with invalid values: one line each, or a network.

The options are read from the registry, so new ones are tested too.
"""

import math

import chex
import numpy as np
import pytest

import vidjax
from tests.test_models import CLASSES, FAMILIES, TINY, first_logits
from vidjax.methods import options
from vidjax.models.model_list import variants
from vidjax.settings import shown

THING = object()
WRONG = [None, "text", -1, 0, 1.5, math.nan, math.inf, (), {}, True, THING, 10**30, b"", ((),)]
WRONG += [np.zeros((2, 2)), np.float32(2.5), {"text": 1}, ("text", None)]
# For each method, a value with which all of its settings are accepted, and a network to try it on.
SETTINGS = {
    "srtg": {"gate": "hard"},
    "random_scaling": {"low_pass": "gaussian"},
    "residual_drop": {"name": "shake_drop"},
    "class_reg": {},
    "multi_temporal": {},
    "non_local": {},
    "cgnl": {},
    "cgd": {},
}


def known_settings(method):
    """Returns the names of a method's settings, as listed in the error for an unknown one."""
    with pytest.raises(ValueError, match="no setting 'x'") as caught:
        vidjax.create_model("r3d_50", **{method: {**SETTINGS[method], "x": 1}})
    return str(caught.value).lower().rpartition("known: ")[2].split(", ")


def try_value(name, option, value, given, clip):
    """Checks that a value gives either logits, or an error line that names option and value."""
    try:
        model = vidjax.create_model(name, **{"num_classes": CLASSES, **given, option: value})
        logits = first_logits(model, clip)
    except ValueError as error:
        text = str(error)
        assert "\n" not in text
        assert option in text, text
        # A tuple may hold several values of a method, and the first one is refused. For a mapping
        # with an unknown setting, the error names the setting.
        parts = [value, *value] if isinstance(value, (tuple, dict)) else [value]
        assert any(shown(part) in text for part in parts), text
        return False
    assert logits.shape[0] == 2
    return True


def meaningless(value):
    """Returns whether a value is invalid for every option."""
    if isinstance(value, int):
        return value == 10**30
    return type(value) in (object, bytes, np.ndarray) or repr(value) == "((),)"


@pytest.mark.parametrize("name", FAMILIES)
def test_each_option_of_each_family_accepts_or_refuses_each_value(name):
    given, clip = TINY[name]
    network = variants()[name]
    methods = network.methods or [key for key in options() if key not in network.refused]
    for option in ("num_classes", "dtype", *network.options, *methods):
        own = {**given, "srtg": "final"} if option.startswith("gate") else given
        # It has eight groups of channels by default.
        own = {**own, "width": 16} if option == "cgnl" and "width" in own else own
        taken = [value for value in WRONG if _is_new(option, value)]
        taken = [value for value in taken if try_value(name, option, value, own, clip)]
        assert not any(map(meaningless, taken)), (option, taken)


def _is_new(option, value):
    """Skips switches and values that are off, which the tests of all networks try."""
    return value is not None and not (value is True and option in ("scan", "zero_init"))


@pytest.mark.parametrize("method", SETTINGS)
def test_each_setting_of_each_method_accepts_or_refuses_each_value(method):
    given, clip = {"width": 16, "depths": (1, 0, 0, 0)}, (4, 16, 16)
    given |= {"depths": (0, 0, 1, 0)} if method == "random_scaling" else {}
    for setting in known_settings(method):
        for value in WRONG:
            option = {**SETTINGS[method], setting: value}
            try:
                model = vidjax.create_model("r3d_50", num_classes=3, **given, **{method: option})
                chex.assert_shape(first_logits(model, clip), (2, 3))
            except ValueError as error:
                text = str(error)
                assert "\n" not in text
                assert method in text, text
                assert setting in text, text
            else:
                assert not meaningless(value), (setting, value)


def test_settings_are_found_by_introspection():
    assert set(SETTINGS) | {"gate", "gate_warmup_steps"} == set(options())
    assert {"cell", "temperature", "stages", "placement"} <= set(known_settings("srtg"))
    assert {"affection", "variant", "after"} <= set(known_settings("class_reg"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "r3d_18",
            {"class_reg": {"affection": 0.5}},
            "class_reg affection = 0.5: expected 4 numbers, one",
        ),
        (
            "r3d_18",
            {"class_reg": {"stages": (1.0,)}},
            r"class_reg stages = \(1.0,\): must be a tuple",
        ),
        (
            "r3d_18",
            {"class_reg": {"variant": {}}},
            r"class_reg variant = {}: must be one of thesis, icip",
        ),
        (
            "r3d_18",
            {"residual_drop": 5},
            "residual_drop = 5: expected one of random_drop, shake_drop",
        ),
        (
            "r3d_18",
            {"random_scaling": {"window": (True, 3, 3)}},
            r"random_scaling window = \(True, 3, 3\): must be three odd numbers",
        ),
        (
            "r3d_18",
            {"residual_drop": {"name": "shake_drop", "alpha": (1, -1)}},
            r"residual_drop: shake_drop alpha = \(1, -1\): must be two values in rising order",
        ),
        ("r3d_18", {"width": 0}, "width = 0: must be a whole number in"),
        ("r3d_18", {"num_classes": 2.5}, "num_classes = 2.5: must be a whole number in"),
        ("r3d_34_e1", {"srtg": "top"}, "srtg = 'top' needs bottlenecks; a basic block has start"),
        (
            "r3d_18",
            {"random_scaling": {"at": ("norm3",)}},
            "'norm3' is not a point of a basic block, which has conv1, ",
        ),
        ("r3d_50", {"depths": (0, 0, 0, 0)}, r"depths = \(0, 0, 0, 0\): .* not all 0"),
        ("r3d_50", {"srtg": ()}, r"srtg = \(\) is empty"),
    ],
)
def test_the_error_for_a_wrong_value_lists_the_allowed_ones(name, options, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model(name, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"random_scaling": {"std": 1.0}}, "std = 1.0 has no effect, because low_pass = 'mean'"),
        ({"random_scaling": {"std": 0.4}}, "set low_pass to gaussian"),
        (
            {"random_scaling": {"target": "input", "window": (1, 3, 3)}},
            r"window = \(1, 3, 3\) has no effect, because target = 'input'",
        ),
        ({"random_scaling": {"target": "input", "low_pass": "gaussian"}}, "low_pass = 'gaussian'"),
        ({"random_scaling": {"target": "input", "border": "zero"}}, "border = 'zero' has no"),
        ({"srtg": {"match": "nearest"}}, "srtg match = 'nearest' has no effect, because gate ="),
        ({"srtg": {"combine": "or"}}, "combine = 'or' has no effect"),
        ({"srtg": {"distance": "mean"}}, "distance = 'mean' has no effect"),
        (
            {"srtg": {"match": "nearest", "temperature": 2.0}, "gate": "hard"},
            "temperature = 2.0 has no effect, because match = 'nearest'",
        ),
        ({"srtg": "final", "gate_warmup_steps": 5}, "gate_warmup_steps = 5 has no effect"),
        ({"multi_temporal": {"delta": 1, "pool": "max"}}, "pool = 'max' has no effect, because"),
        (
            {"multi_temporal": {"frames": "pooled", "choose": "highest"}},
            "choose = 'highest' has no effect, because frames = 'pooled'",
        ),
        (
            {"multi_temporal": {"choose": "strided", "squared": True}},
            "squared = True has no effect, because choose = 'strided'",
        ),
        (
            {"residual_drop": {"name": "shake_drop", "last": 1, "alpha": (0, 1)}},
            r"alpha = \(0, 1\) has no effect, because last = 1",
        ),
        (
            {"remat": (3,), "depths": (1, 1, 0, 1)},
            r"remat = \(3,\): depths = .* has blocks only in stages 1, 2, 4",
        ),
        (
            {"class_reg": {"stages": (2, 3)}, "depths": (1, 1, 0, 1)},
            r"class_reg stages = \(2, 3\): stage 3 has no blocks",
        ),
    ],
    ids=str,
)
def test_settings_without_effect_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model("r3d_50", **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "r3d_18",
            {"shortcut": "pad", "width": 4, "stem_width": 16},
            "shortcut = 'pad' only adds channels, but stage 1 has 4 after 16: .* stem_width of at",
        ),
        ("mtnet_s", {"zero_init": True}, "mtnet_s does not support zero_init: a branch ends in"),
        (
            "mtnet_s",
            {"zero_init": True, "persistent_low_res": True},
            "mtnet_s does not support zero_init: a branch ends in",
        ),
        ("mtnet_s", {"multi_temporal": {}}, "mtnet_s does not support multi_temporal: its conv"),
        ("r3d_18", {"zero_init": True, "multi_temporal": {}}, "has no effect in stages 1, 2, 3, 4"),
        (
            "r2plus1d_34",
            {"zero_init": True, "multi_temporal": {"stages": (3,)}},
            "zero_init = True has no effect in stage 3, because a method inserts",
        ),
        ("mtnet_s", {"delta": 1, "pool": "max"}, "pool = 'max' has no effect, because delta = 1"),
        ("x3d_s", {"variant": "mmaction2", "shortcut": "pad"}, "'mmaction2' has no effect"),
        ("slowonly_34", {"temporal_convs": 2, "depths": (1, 1, 0, 0)}, "temporal_convs = 2 has"),
        (
            "cifar_resnet_110",
            {"remat": (4,)},
            r"remat = \(4,\): depths = .* has blocks only in stages 1, 2, 3",
        ),
    ],
)
def test_options_without_effect_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model(name, **options)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_integer_clips_are_refused(dtype):
    model = vidjax.create_model("r3d_18", num_classes=2, width=4, depths=(1, 0, 0, 0))
    for run in (model.apply, model.init):
        with pytest.raises(ValueError, match=f"not {dtype}: normalise it first"):
            run({}, np.zeros((1, 4, 16, 16, 3), dtype))


@pytest.mark.parametrize("depths", [(1, 0, 0, 0), (1, 1, 0, 1), (0, 1, 0, 0)])
@pytest.mark.parametrize("name", ["r3d_18", "slowfast_50", "mfnet", "tsm_50"])
def test_class_regularization_in_stages_without_blocks_is_refused(name, depths):
    given, clip = TINY[name]
    model = vidjax.create_model(name, num_classes=2, **{**given, "depths": depths}, class_reg={})
    places = {
        number
        for number, slot in enumerate(model.slots, start=1)
        if slot.has("after_stage", "after_block")
    }
    assert places == {number for number, depth in enumerate(depths, start=1) if depth}
    chex.assert_shape(first_logits(model, clip), (2, 2))


@pytest.mark.parametrize(
    ("depths", "stages"), [((1, 1, 0, 0), {1, 2}), ((1, 0, 1, 1), {3, 4}), ((0, 0, 1, 0), {3})]
)
def test_random_scaling_is_only_in_stages_with_blocks(depths, stages):
    model = vidjax.create_model("r3d_18", depths=depths, random_scaling={})
    found = {number for number, slot in enumerate(model.slots, 1) if slot.has("before_norm")}
    assert found == stages
