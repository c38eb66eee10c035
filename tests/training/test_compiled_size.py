"""How much of a network XLA compiles: each kind of block once, however many there are."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

from configs import synthetic
from tests.fusions import kernels
from tests.quickly import UNOPTIMIZED
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.training.compile import lower_step

OPTIMIZER = optax.sgd(0.1, momentum=0.9)
# Blocks of the last stage, which are alike but for the first one.
FEW, MORE = 2, 4
# Sums over all parameters or all blocks, whose kernels have as many inputs.
OVER_ALL = 4


@functools.cache
def network(name, last):
    config = synthetic.get_config(f"model={name}")
    config.model.options = {"width": 8, "depths": (1, 0, 0, last)}
    config.clip.update({"frames": 4, "size": 32})
    config.train.batch_size = 2
    return Network.of(from_mapping(config), ("a", "b", "c"))


@functools.cache
def step_kernels(name, last):
    made = network(name, last)
    state = made.state_like(OPTIMIZER)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    lowered = lower_step(made, OPTIMIZER, state, shardings)
    return len(kernels(lowered.compile(UNOPTIMIZED).as_text()))


@functools.cache
def first_weights(name, last):
    model = network(name, last).module

    def init(key):
        return model.init(key, jnp.zeros((1, 4, 32, 32, 3)), train=False)["params"]

    return jax.jit(init).lower(jax.random.key(0)).compile(UNOPTIMIZED).as_text()


@pytest.mark.parametrize("name", ["r3d_18", pytest.param("mtnet_s", marks=pytest.mark.slow)])
def test_a_block_like_another_adds_no_kernel_to_a_step(name):
    few, more = step_kernels(name, FEW), step_kernels(name, MORE)
    assert few > 20
    assert more <= few + OVER_ALL


@pytest.mark.parametrize("name", ["r3d_18", "mtnet_s"])
def test_parameters_of_one_shape_are_drawn_by_one_kernel(name):
    few, more = (kernels(first_weights(name, last)) for last in (FEW, MORE))
    assert len(few) > 3
    assert len(more) == len(few)
