"""Tests rematerialised stages: the same network, with less memory for the backward pass."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import print_saved_residuals

from vidjax.layers.lowering import force_lowering
from vidjax.models.registry import create_model

# A block that keeps its shape after the stem, with noise in it.
OPTIONS = {"num_classes": 5, "width": 8, "depths": (2, 0, 0, 0), "random_scaling": {"stages": (1,)}}


@pytest.fixture(autouse=True)
def one_primitive_a_convolution():
    with force_lowering("lax"):
        yield


@pytest.fixture(scope="module")
def clip():
    return jax.random.normal(jax.random.key(3), (2, 4, 16, 16, 3))


@pytest.fixture(scope="module")
def variables(clip):
    model = create_model("r3d_18", **OPTIONS)
    return jax.jit(lambda x: model.init(jax.random.key(0), x, train=False))(clip)


def loss_of(model, variables, clip):
    def loss(params):
        streams = {"noise": jax.random.key(1), "dropout": jax.random.key(2)}
        own = {**variables, "params": params}
        logits, updated = model.apply(own, clip, train=True, rngs=streams, mutable=["batch_stats"])
        return jnp.sum(logits**2), updated["batch_stats"]

    return loss


def test_gradients_statistics_and_draws_equal_those_without_remat(variables, clip):
    results = []
    for remat in ((), (1,)):
        model = create_model("r3d_18", **OPTIONS, remat=remat)
        loss = loss_of(model, variables, clip)
        results.append(jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"]))
    chex.assert_trees_all_close(*results, rtol=2e-5, atol=1e-6)


def test_the_parameters_keep_their_names(variables, clip):
    again = create_model("r3d_18", **OPTIONS, remat=(1, 2))
    made = jax.eval_shape(lambda x: again.init(jax.random.key(0), x, train=False), clip)
    chex.assert_trees_all_equal_shapes(made, variables)


def kept(model, variables, clip, capsys):
    """Returns the bytes that the forward pass keeps for the backward pass, without arguments."""
    loss = loss_of(model, variables, clip)
    print_saved_residuals(lambda p: loss(p)[0], variables["params"])
    sizes = 0
    for line in capsys.readouterr().out.splitlines():
        found = re.match(r"(f32|float32)\[([\d,]*)\]", line)
        if found and "argument" not in line:
            sizes += 4 * int(np.prod([int(size) for size in found[2].split(",") if size]))
    return sizes


def test_less_is_kept_for_the_backward_pass(variables, clip, capsys):
    plain = kept(create_model("r3d_18", **OPTIONS), variables, clip, capsys)
    less = kept(create_model("r3d_18", **OPTIONS, remat=(1,)), variables, clip, capsys)
    # Two blocks keep about ten arrays [2, 2, 4, 4, 8], two of which are their inputs.
    assert plain - less > 8 * 4 * 2 * 2 * 4 * 4 * 8


@pytest.mark.parametrize("name", ["r3d_18", "slowfast_50"])
def test_missing_stages_are_refused(name):
    with pytest.raises(ValueError, match=r"remat = \(0, 5\): must be numbers of stages, 1 to 4"):
        create_model(name, num_classes=5, remat=(0, 5))
