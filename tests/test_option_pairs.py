"""Tests every two options of a residual network: both have an effect, or one is refused.

An option has an effect if it changes the training program or the initial parameters.
"""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import pytest

import vidjax
from tests.methods.test_pairs import NEEDED, VALUES
from tests.test_models import CLASSES, OTHER, TINY
from vidjax.layers.lowering import force_lowering
from vidjax.methods import options as method_options
from vidjax.models.model_list import variants

pytestmark = pytest.mark.slow


def values(name):
    """Returns a non-default value of each option, for a network of few blocks."""
    given, clip = TINY[name]
    network = variants()[name]
    found = {option: OTHER[option] for option in network.options if option != "persistent_low_res"}
    methods = method_options() if network.methods is None else network.methods
    found |= {key: VALUES[key][0] for key in methods if key not in network.refused}
    if "depths" in found:
        found["depths"] = tuple(depth + 1 for depth in given["depths"])
    if "variant" in found:
        found["variant"] = "mmaction2" if name in ("x3d_s", "slowfast_50") else "pytorchvideo"
    if "random_scaling" in found:
        found["random_scaling"] = {}
    return given, clip, found


def program(name, options, clip):
    model = vidjax.create_model(name, num_classes=CLASSES, **options)
    rngs = {"noise": jax.random.key(1), "dropout": jax.random.key(2)}

    def run(key, clip):
        variables = model.init(key, clip, train=False)
        mutable = ["batch_stats", "intermediates"]
        return model.apply(variables, clip, train=True, rngs=rngs, mutable=mutable)

    with force_lowering("lax"):
        x = jax.ShapeDtypeStruct((2, *clip, 3), jnp.float32)
        return hash(re.sub(r"0x[0-9a-f]+", "", str(jax.make_jaxpr(run)(jax.random.key(0), x))))


@pytest.mark.parametrize("name", ["r3d_18"])
def test_any_two_options_both_have_an_effect_or_one_is_refused(name):
    given, clip, found = values(name)
    # Options for compiling blocks do not change what they compute.
    found.pop("scan", None)
    seen = functools.cache(
        lambda options: program(name, {**given, **dict(found_of(options))}, clip)
    )

    def found_of(options):
        return [
            (option, needed[option] if option in needed else found[option]) for option in options
        ]

    needed = {}
    ignored = []
    for one, other in itertools.combinations(found, 2):
        needed = {**NEEDED.get(one, {}), **NEEDED.get(other, {})}
        pair = {*needed, one, other}
        try:
            both = seen(tuple(sorted(pair)))
        except ValueError as error:
            text = str(error)
            assert any(option in text for option in (one, other)), (one, other, text)
            continue
        for option in (one, other):
            rest = {key for key in pair - {option} if option not in NEEDED.get(key, {})}
            if both == seen(tuple(sorted(rest))):
                ignored.append((option, "beside", one if option == other else other))
    assert not ignored
