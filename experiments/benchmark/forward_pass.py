"""Compiles a network's forward pass, as in evaluation, for timing."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from .compiled import Compiled, compile_timed, initial_variables


def make_forward(model: Any, shape: tuple[int, ...], steps: int = 1) -> Compiled:
    """Compiles the logits of random clips; arguments are those of `make_step`."""
    clip = jax.random.normal(jax.random.key(1), shape)
    variables = initial_variables(model, clip)
    program, seconds = compile_timed(jax.jit(partial(model.apply, train=False)), variables, clip)

    def work() -> None:
        for _ in range(steps):
            logits = program(variables, clip)
        jax.block_until_ready(logits)

    return Compiled(work, seconds, program)
