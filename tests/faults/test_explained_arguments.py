"""Tests invalid arguments of `vidjax.explain`: one line each; any integer type names a class."""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import vidjax
from tests.faults.test_options import WRONG
from tests.quickly import quickly
from vidjax import explain
from vidjax.explain.back_step import KEEP, RULES, Keep, Rules
from vidjax.explain.class_feature_pyramids import SETTINGS as PYRAMID
from vidjax.explain.saliency_tubes import SETTINGS as TUBE
from vidjax.settings import shown

CLASSES = 3
CLIP = np.random.default_rng(0).normal(size=(1, 2, 16, 16, 3)).astype(np.float32)
FUNCTIONS = {
    explain.saliency_tube: ("class_index", *TUBE),
    explain.class_feature_pyramid: ("class_index", *PYRAMID, *KEEP),
}

(HUGE,) = (value for value in WRONG if type(value) is int and value == 10**30)
ALLOWED = {"class_index": (0, None), "tau": (0, None), "threshold": (0, None), "top": (None, HUGE)}
ALLOWED |= {"depth": (None,), "down_to": (None,)}


@pytest.fixture(scope="module")
def network():
    model = vidjax.create_model("r3d_18", num_classes=CLASSES, width=4, depths=(1, 0, 0, 0))
    init = functools.partial(model.init, train=False)
    return model, quickly(init)(jax.random.key(0), CLIP)


def refusal(function, *args, **kwargs):
    with pytest.raises(ValueError, match=".") as caught:
        function(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("function", "argument"), [(f, name) for f, names in FUNCTIONS.items() for name in names]
)
def test_each_argument_accepts_or_refuses_each_value(network, function, argument):
    for value in WRONG:
        try:
            given = {"depth": 1} if function is explain.class_feature_pyramid else {}
            function(*network, CLIP, **{**given, argument: value})
        except ValueError as error:
            text = str(error)
            assert "\n" not in text
            assert argument in text, text
            assert shown(value) in text, text
        else:
            assert any(value is each for each in ALLOWED.get(argument, ())), (argument, value)


def test_every_argument_except_network_and_clip_is_tested():
    for function, tried in FUNCTIONS.items():
        given = {"model", "variables", "clip", "classes", "output", "clip_input"}
        assert set(inspect.signature(function).parameters) - given == set(tried)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: shown(value)[:20])
def test_rules_accept_the_values_of_their_table(value):
    for kind, table in ((Rules, RULES), (Keep, KEEP)):
        for name, allowed in table.items():
            if not allowed.accepts(value):
                text = refusal(kind, **{name: value})
                assert text.startswith(f"{name} = {shown(value)}: ")


@pytest.mark.parametrize(
    "kind", [int, np.int64, np.uint8, jnp.asarray, np.asarray], ids=lambda kind: kind.__name__
)
def test_every_kind_of_integer_names_a_class(network, kind):
    tube = explain.saliency_tube(*network, CLIP, kind(1))
    pyramid = explain.class_feature_pyramid(*network, CLIP, kind(1), depth=1)
    for found in (tube, pyramid):
        assert found.class_index == 1
        assert type(found.class_index) is int
    assert explain.from_json(explain.to_json(pyramid)).class_index == 1


def test_the_argmax_of_the_logits_is_accepted_as_a_class(network):
    model, variables = network
    logits = quickly(lambda v: model.apply(v, CLIP, train=False))(variables)
    tube = explain.saliency_tube(model, variables, CLIP, jnp.argmax(logits))
    assert tube.class_index == explain.saliency_tube(model, variables, CLIP).class_index


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.full_like(CLIP, np.nan), "not finite"),
        (np.where(CLIP > 1, np.inf, CLIP), "not finite"),
        ((255 * CLIP).astype(np.uint8), "clip is uint8: normalise it first"),
        (CLIP[0, 0], "(16, 16, 3)"),
        (np.moveaxis(CLIP, -1, 1), "has its channels before its frames"),
        (CLIP[:, :0], "(1, 0, 16, 16, 3)"),
        ("clip.mp4", "clip = 'clip.mp4': an array"),
        (None, "clip = None"),
    ],
    ids=["nan", "inf", "uint8", "picture", "turned", "empty", "name", "none"],
)
def test_invalid_clips_are_refused(network, function, clip, message):
    assert message in refusal(function, *network, clip)


class Outdated(nnx.Module):
    def __call__(self, clip):
        return clip.mean((1, 2, 3))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Outdated(), "variables = {}: a module of flax.nnx holds its variables itself; pass None"),
        (lambda variables, clip: 2 * (clip.mean((1, 2, 3)),), "0 [1, 3], 1 [1, 3]: say which"),
        (lambda variables, clip: {"logits": clip}, "returns 'logits' [1, 2, 16, 16, 3]; logits [1"),
        (lambda variables, clip: None, "returns None"),
        (lambda variables, clip: clip, "returns [1, 2, 16, 16, 3]; logits [1, classes]"),
        ("r3d_18", "model = 'r3d_18': pass a module of flax.linen"),
        (None, "model = None"),
        (Outdated, "model = "),
    ],
    ids=["nnx", "tuple", "dict", "nothing", "clip", "name", "none", "class"],
)
def test_invalid_models_are_refused(function, model, message):
    assert message in refusal(function, model, {}, CLIP)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_variables_that_do_not_fit_are_refused(network, function):
    model, variables = network
    assert "do not fit each other" in refusal(function, model, {}, CLIP)
    assert "variables contain 'x'" in refusal(function, model, {"params": "x"}, CLIP)
    other = vidjax.create_model("r3d_18", num_classes=CLASSES, width=8, depths=(1, 0, 0, 0))
    assert "do not fit each other" in refusal(function, other, variables, CLIP)


@pytest.mark.parametrize("value", [None, "text", {}, object(), math.nan])
def test_only_pyramids_are_converted_to_json(value):
    assert refusal(explain.to_json, value).startswith(f"pyramid = {shown(value)}: ")
    assert refusal(explain.from_json, value)


@pytest.mark.parametrize("value", ["text", None, math.nan, math.inf, True, (1,), np.zeros(2)])
def test_factors_of_frequencies_are_numbers(value):
    def run(**factors):
        with explain.scaled_parts(**{"low": 1.0, "high": 1.0} | factors):
            raise AssertionError("nothing is to be computed")

    for name in ("low", "high"):
        said = f"{name} = {shown(value)}: must be a finite number"
        assert refusal(run, **{name: value}).startswith(said)
