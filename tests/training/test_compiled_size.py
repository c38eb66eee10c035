"""Tests that XLA compiles each kind of block once, for any number of blocks."""

import functools

import jax
import optax
import pytest

from configs import synthetic
from tests.fusions import kernels
from tests.quickly import UNOPTIMIZED
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.training.compile_step import lower_step

OPTIMIZER = optax.sgd(0.1, momentum=0.9)
# Blocks of the last stage, which are equal except for the first.
FEW, MORE = 2, 4


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r3d_18", "mtnet_s"])
def test_repeated_blocks_add_hardly_any_kernels_to_a_step(name):
    few, more = step_kernels(name, FEW), step_kernels(name, MORE)
    # Sums over all parameters have one kernel for each number of parameters.
    assert few < more < 1.1 * few
