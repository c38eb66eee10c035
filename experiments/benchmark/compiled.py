"""A compiled program that can be timed, with its compile time and planned memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.garbage_collection import collection_paused
from vidjax.layers.lowering import force_lowering
from vidjax.run.weight_init import init_by_array


@dataclass(frozen=True)
class Compiled:
    """A compiled program with its arguments; calling it runs it and waits for the result.

    Attributes:
      work: function that runs the program.
      seconds: compile time in seconds.
      program: the program, as JAX compiled it.
    """

    work: Callable[[], None]
    seconds: float
    program: Any

    def __call__(self) -> None:
        """Runs the program."""
        self.work()

    @property
    def scratch(self) -> int:
        """Bytes of memory that it needs besides its arguments and results."""
        sizes = self.program.memory_analysis()
        return sizes.temp_size_in_bytes if sizes else 0

    @property
    def memory(self) -> int:
        """Bytes of arguments, results and scratch memory; donated arguments count once."""
        sizes = self.program.memory_analysis()
        if not sizes:
            return 0
        taken_and_given = sizes.argument_size_in_bytes + sizes.output_size_in_bytes
        return taken_and_given - sizes.alias_size_in_bytes + sizes.temp_size_in_bytes


def compile_timed(function: Any, *arguments: Any) -> tuple[Any, float]:
    """Compiles a jitted function for arguments; returns the program and the seconds that took."""
    start = time.perf_counter()
    with collection_paused():
        lowered = function.lower(*arguments)
    program = lowered.compile()
    return program, time.perf_counter() - start


def initial_variables(model: Any, clip: jax.Array) -> Any:
    """Initialises a network's variables for clips `[B, T, H, W, 3]`."""

    def init(key: jax.Array) -> Any:
        with force_lowering("lax"):
            return model.init(key, jnp.zeros((1, *clip.shape[1:])), train=False)

    key = jax.random.key(0)
    return init_by_array(init, key) if jax.default_backend() == "cpu" else jax.jit(init)(key)
