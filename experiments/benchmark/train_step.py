"""A network's compiled training step, for timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from vidjax.training.state import TrainState
from vidjax.training.step import Step


@dataclass(frozen=True)
class Compiled:
    """A step that keeps its own state: called, it does one and waits for its end.

    Attributes:
      work: does a step.
      seconds: of compiling it.
      scratch: bytes of memory that it needs beside its state and batch.
    """

    work: Callable[[], None]
    seconds: float
    scratch: int

    def __call__(self) -> None:
        """Does a step."""
        self.work()


def make_step(model: Any, shape: tuple[int, ...]) -> Compiled:
    """The step of a network on random clips of a shape `[B, T, H, W, 3]`."""
    optimizer = optax.sgd(0.01, momentum=0.9)
    step = Step(model, optimizer, mean=(0.45,) * 3, std=(0.225,) * 3)
    clip = jax.random.randint(jax.random.key(1), shape, 0, 255).astype(jnp.uint8)
    batch = {
        "clip": clip,
        "label": jnp.arange(shape[0]) % model.num_classes,
        "mask": jnp.ones(shape[0], bool),
    }
    variables = jax.jit(lambda x: model.init(jax.random.key(0), x, train=False))(
        clip[:1].astype(jnp.float32)
    )
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=optimizer.init(variables["params"]),
        ema=None,
        seed=jax.random.key_data(jax.random.key(2)),
    )
    start = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=0).lower(state, batch).compile()
    seconds = time.perf_counter() - start

    def work() -> None:
        nonlocal state
        state, metrics = compiled(state, batch)
        jax.block_until_ready((state, metrics))

    memory = compiled.memory_analysis()
    return Compiled(work, seconds, memory.temp_size_in_bytes if memory else 0)
