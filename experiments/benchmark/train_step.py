"""Compiles a network's training step for timing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from vidjax.run.state import TrainState
from vidjax.training.step import Step

from .compiled import Compiled, compile_timed, initial_variables


def make_step(model: Any, shape: tuple[int, ...], steps: int = 1) -> Compiled:
    """Compiles the training step of a network on random clips.

    Args:
      model: the network.
      shape: shape of the clips, `[B, T, H, W, 3]`.
      steps: number of steps before waiting.
    """
    optimizer = optax.sgd(0.01, momentum=0.9)
    step = Step(model, optimizer, mean=(0.45,) * 3, std=(0.225,) * 3)
    clip = jax.random.randint(jax.random.key(1), shape, 0, 255).astype(jnp.uint8)
    batch = {
        "clip": clip,
        "label": jnp.arange(shape[0]) % model.num_classes,
        "mask": jnp.ones(shape[0], bool),
    }
    variables = initial_variables(model, clip.astype(jnp.float32))
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=optimizer.init(variables["params"]),
        ema=None,
        seed=jax.random.key_data(jax.random.key(2)),
    )
    program, seconds = compile_timed(jax.jit(step, donate_argnums=0), state, batch)

    def work() -> None:
        nonlocal state
        for _ in range(steps):
            state, metrics = program(state, batch)
        jax.block_until_ready((state, metrics))

    return Compiled(work, seconds, program)
