"""Tests how XLA compiles a network and its training step: donation and fusion."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vidjax
from configs import synthetic
from tests.fusions import computations
from tests.quickly import OPTIMIZED
from vidjax.layers.lowering import force_lowering
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.run.sharding import to_devices
from vidjax.training.compile_step import lower_step

OPTIONS = {"width": 8, "depths": (1, 1, 0, 0)}
FRAMES, SIZE = 4, 32
# The network's norms, and the number of feature arrays that the fused pass reads: the
# convolution's result, and at the end of a block also the shortcut.
NORMS = {
    "stem_layer/norm": 1,
    "layer1/block1/norm1": 1,
    "layer1/block1/norm2": 2,
    "layer2/block1/norm1": 1,
    "layer2/block1/norm2": 2,
    "layer2/block1/shortcut/norm": 2,
}


@functools.cache
def trained(lowering="auto"):
    """Returns the step as compiled by the loop, with its network and first state."""
    config = synthetic.get_config()
    config.model.options = OPTIONS
    config.data.options = {"num_classes": 3}
    config.clip.update({"frames": FRAMES, "size": SIZE})
    config.train.update({"batch_size": 2, "ema": 0.9})
    network = Network.of(from_mapping(config), ("a", "b", "c"))
    optimizer = network.optimizer(optax.constant_schedule(0.1))
    state, shardings = network.init(optimizer)
    with force_lowering(lowering):
        lowered = lower_step(network, optimizer, state, shardings)
        return lowered.compile(OPTIMIZED), network, state


def batch(network):
    rng = np.random.default_rng(0)
    rows = {
        "clip": rng.integers(0, 255, (2, FRAMES, SIZE, SIZE, 3), dtype=np.uint8),
        "label": np.arange(2, dtype=np.int32),
        "mask": np.ones(2, bool),
    }
    return to_devices(rows, network.mesh)


def evaluated(lowering):
    """Returns the compiled text of an evaluation pass."""
    model = vidjax.create_model("r3d_18", num_classes=3, **OPTIONS)
    clip = jax.ShapeDtypeStruct((2, FRAMES, SIZE, SIZE, 3), jnp.float32)
    with force_lowering(lowering):
        init = functools.partial(model.init, train=False)
        variables = jax.eval_shape(init, jax.random.key(0), clip)
        apply = jax.jit(functools.partial(model.apply, train=False))
        return apply.lower(variables, clip).compile(OPTIMIZED).as_text()


PROGRAMS = {
    "evaluation": functools.partial(evaluated, "lax"),
    "evaluation on a CPU": functools.partial(evaluated, "cpu"),
    "training step": lambda: trained("lax")[0].as_text(),
    "training step on a CPU": lambda: trained()[0].as_text(),
}


@functools.cache
def read(program):
    return computations(PROGRAMS[program]())


def normalised(program, norm):
    """Returns the computations that produce a norm's results at all positions."""
    return [
        (where, line)
        for where in read(program)
        for line in where.lines
        if line.opcode == "add" and line.layer.endswith(norm) and len(line.shape) > 3
    ]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_norm_and_activation_are_fused_into_one_pass(program, norm):
    found = normalised(program, norm)
    assert found
    assert not any(where.leaves(line) for where, line in found)
    activated = [
        where
        for where, line in found
        if "maximum" in {other.opcode for other in where.readers(line)}
    ]
    assert activated
    for where in activated:
        parameters = [line for line in where.lines if line.opcode == "parameter"]
        channels = found[0][1].shape[-1]
        features = [line for line in parameters if line.size > channels]
        # On a CPU the convolution may end in a sum; the pass then reads its summands.
        assert "CPU" in program or len(features) == NORMS[norm]


@pytest.mark.parametrize("norm", NORMS)
def test_evaluation_has_one_such_pass(norm):
    assert len(normalised("evaluation", norm)) == 1


def test_the_step_donates_its_state_and_updates_in_place():
    step, network, state = trained()
    sizes = step.memory_analysis()
    owned = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert sizes.alias_size_in_bytes == owned
    # Parameters, momentum and moving average have the same size.
    assert owned > 3 * 4 * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
    mine = jax.tree.map(jnp.copy, state)
    given = batch(network)
    after, _ = step(mine, given)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(mine))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((after, given)))
