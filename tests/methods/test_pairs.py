"""Tests every pair of method options in one network: both take effect, or are refused by name.

An option takes effect if the training pass of the network changes with it. Networks are compared
by their programs, which contain every effective setting.
"""

import ast
import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.quickly import quickly
from vidjax.layers.lowering import force_lowering
from vidjax.methods import options

# One value of each option, and a second value for using the same option twice.
VALUES = {
    "srtg": ("final", "end"),
    "gate": ("hard",),
    "gate_warmup_steps": (3,),
    "multi_temporal": ({}, {"kernels": "factorised"}),
    "random_scaling": ({"stages": (3,)}, {"stages": (3,), "target": "residual"}),
    "residual_drop": ("random_drop", "shake_drop"),
    "class_reg": ({}, {"bounds": "unit"}),
    "non_local": ({"stages": (3,), "every": 1},),
    "cgnl": ({"stages": (3,), "every": 1, "channel_groups": 4},),
    "cgd": ({"stages": (3,)},),
}
# Options that need another one, by design and according to their errors.
NEEDED = {"gate": {"srtg": "final"}, "gate_warmup_steps": {"srtg": "final", "gate": "hard"}}
NETWORKS = {
    "r3d_18": {"width": 16, "depths": (0, 0, 1, 0)},
    "r3d_50": {"width": 16, "depths": (0, 0, 1, 0)},
    "mtnet_s": {"width": 16, "depths": (0, 0, 1, 0), "neck": 4},
}
CLIP = (2, 4, 16, 16, 3)


def make(name, options):
    return vidjax.create_model(name, num_classes=3, **NETWORKS[name], **options)


def program(name, options):
    """Returns the training pass of a network as text without addresses."""
    return _program(name, repr(options))


@functools.cache
def _program(name, options):
    model = make(name, ast.literal_eval(options))
    rngs = {"noise": jax.random.key(1), "dropout": jax.random.key(2)}

    def run(variables, clip):
        mutable = ["batch_stats", "intermediates"]
        return model.apply(variables, clip, train=True, rngs=rngs, mutable=mutable)

    clip = jax.ShapeDtypeStruct(CLIP, jnp.float32)
    with force_lowering("lax"):
        init = functools.partial(model.init, train=False)
        variables = jax.eval_shape(init, jax.random.key(0), clip)
        return re.sub(r"0x[0-9a-f]+", "", str(jax.make_jaxpr(run)(variables, clip)))


def test_every_option_has_a_value_here():
    assert set(VALUES) == set(options())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(VALUES, 2)))
def test_both_of_two_options_take_effect(name, one, other):
    needed = {**NEEDED.get(one, {}), **NEEDED.get(other, {})}
    pair = {**needed, one: VALUES[one][0], other: VALUES[other][0]}
    if name == "mtnet_s" and "multi_temporal" in pair:
        with pytest.raises(ValueError, match="does not support multi_temporal: its convolutions"):
            make(name, pair)
        return
    both = program(name, pair)
    for option in (one, other):
        without = {key: value for key, value in pair.items() if key != option}
        # Without an option, those that need it are left out too.
        without = {k: v for k, v in without.items() if option not in NEEDED.get(k, {})}
        assert both != program(name, without), option


@pytest.mark.parametrize("option", [key for key, values in VALUES.items() if len(values) > 1])
@pytest.mark.parametrize("name", ["r3d_18", "r3d_50"])
def test_two_values_of_an_option_take_effect_in_order(name, option):
    values = VALUES[option]
    if option == "multi_temporal":
        with pytest.raises(
            ValueError, match="multi_temporal in stage 3: another method has replaced the conv"
        ):
            make(name, {option: values})
        return
    programs = {
        program(name, {option: chosen}) for chosen in (values, values[::-1], values[:1], values[1:])
    }
    assert len(programs) == 4


def test_a_slot_runs_its_modules_one_after_the_other():
    """With two fixed scalings of the input, the features are scaled by the product."""

    def scaling(factor):
        return {"target": "input", "distribution": ("normal", factor, 0.0), "stages": (3,)}

    given = {"width": 4, "depths": (0, 0, 1, 0), "num_classes": 3}
    clip = jax.random.normal(jax.random.key(0), (1, 2, 16, 16, 3))
    plain = vidjax.create_model("r3d_18", **given)
    variables = quickly(lambda key: plain.init(key, clip, train=False))(jax.random.key(1))

    def logits(option):
        model = vidjax.create_model("r3d_18", **given, random_scaling=option)
        return quickly(lambda v: model.apply(v, clip, train=False))(variables)

    twice = logits([scaling(0.5), scaling(3.0)])
    np.testing.assert_allclose(twice, logits(scaling(1.5)), rtol=1e-4, atol=1e-5)
    assert not np.allclose(twice, logits(scaling(3.0)), rtol=1e-2)


def test_parameters_of_the_first_in_a_slot_keep_their_names():
    clip = jax.ShapeDtypeStruct((1, 4, 16, 16, 3), jnp.float32)

    def names(**options):
        model = vidjax.create_model("r3d_50", width=4, depths=(0, 0, 1, 0), **options)
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
        return {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(variables)}

    gated, twice = names(srtg="mid"), names(srtg=("mid", "end"))
    assert gated < twice
    assert all("gate_2" in name for name in twice - gated)
    regularized, twice = names(class_reg={}), names(class_reg=({}, {"bounds": "unit"}))
    assert regularized < twice
    assert twice - regularized == {"['params']['layer3']['after_stage_2']['class_reg']['kernel']"}


def test_stages_may_have_different_convolutions():
    options = [{"stages": (1,)}, {"stages": (2,), "delta": 0.5}]
    model = vidjax.create_model("r3d_18", multi_temporal=options, depths=(1, 1, 0, 0))
    assert [slot.conv is not None for slot in model.slots] == [True, True, False, False]
    assert model.slots[1].conv.keywords["delta"] == 0.5
